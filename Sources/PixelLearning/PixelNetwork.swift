import NeuralNetwork
import TensorCore

/// What makes vectors of a view's pixels: a backbone, a pyramid and towers where they are learned too, and projectors.
///
/// A model has it twice, online and as momentum networks. Towers and projectors are shared by all levels; each level
/// passes them by itself, with statistics of its own.
final class PixelNetwork {
    let encoder: ResNet
    private let pyramid: FeaturePyramid?
    private let branches: [(tower: DetectorTower?, projector: Projector)]
    private let settings: PixelModelSettings

    /// Registers `encoder`, `pyramid`, and for each branch `tower_cls` and `projector_cls`, all with `suffix`.
    init(_ settings: PixelModelSettings, _ scope: Scope, suffix: String = "") {
        self.settings = settings
        encoder = ResNet(settings.architecture, scope.child("encoder" + suffix))
        let channels = settings.pyramid.channels
        pyramid =
            settings.pyramid.levels.numbers.isEmpty
            ? nil
            : FeaturePyramid(
                scope.child("pyramid" + suffix), inputs: settings.levels, channels: channels, normalizes: true)
        branches = settings.branchSuffixes.map { branch in
            let tower =
                settings.hasTowers
                ? DetectorTower(
                    scope.child("tower\(branch)\(suffix)"), channels: channels, depth: settings.pyramid.towerDepth)
                : nil
            let projector = Projector(
                scope.child("projector\(branch)\(suffix)"), inputs: settings.projectorInputs,
                width: settings.projectorWidth, outputs: settings.projectionChannels)
            return (tower, projector)
        }
    }

    /// The maps of a view.
    struct Maps {
        /// C5.
        let features: Variable
        /// Those of the pyramid's levels; empty without one.
        var pyramid: [Variable] = []
        /// By term; empty without towers.
        var towers: [Variable] = []
        /// By term: float32, before normalisation.
        var projections: [Variable] = []
    }

    /// View [N, S, S, 3].
    func callAsFunction(_ view: Tensor, _ pass: Pass) throws -> Maps {
        let stages = try encoder.maps(Variable(view), pass)
        var maps = Maps(features: stages[stages.count - 1])
        if let pyramid {
            maps.pyramid = try pyramid(settings.pyramid.levels.numbers.map { stages[$0 - 2] }, pass)
        }
        for term in settings.terms {
            var map = maps.pyramid.isEmpty ? maps.features : maps.pyramid[term.level]
            let branch = branches[term.branch]
            if let tower = branch.tower {
                map = tower(map, pass)
                maps.towers.append(map)
            }
            maps.projections.append(try branch.projector(map, pass))
        }
        return maps
    }
}
