package import NeuralNetwork
package import TensorCore

/// What is learned from pixels.
package enum PixelMethod: String, Sendable, CaseIterable {
    /// Pixels agree with propagated pixels of the other view.
    case pixpro
    /// Pixels are told from those of other places in the other view.
    case pixcontrast
}

/// What shapes a model that learns from pixels, and its loss.
package struct PixelModelSettings: Sendable, Equatable {
    package var method = PixelMethod.pixpro
    package var instance = InstanceSettings()
    package var pyramid = PyramidSettings()
    package var architecture = ResNetArchitecture.resnet50
    package var projectorWidth = 4096
    /// Channels that the projector makes and the propagation keeps: the paper's 256, fewer in small references.
    package var projectionChannels = 256
    package var transformLayers = 1
    package var gamma = 2.0
    package var clamp = 0.0
    package var threshold = 0.7
    /// Of PixContrast's cosines.
    package var temperature = 0.3
    package var dialect = Dialect.official
    /// What the encoders' and projectors' maps are stored as in training.
    package var elementType = ElementType.float32

    package init() {}
}

/// On which maps pixels are learned, beside the defaults C5 alone.
package struct PyramidSettings: Sendable, Equatable {
    /// Levels of the backbone that a pyramid stands on, 3 for C3 and so on, finest first; none: C5 without a pyramid.
    package var levels = PyramidLevels()
    package var channels = 256
    /// Layers of a detector's two towers between the pyramid and the projectors; 0: none.
    package var towerDepth = 0

    package init() {}
}

/// Levels from 2 to 5, ascending.
package struct PyramidLevels: Sendable, Equatable, ExpressibleByArrayLiteral {
    package let numbers: [Int]

    /// Nil unless the numbers are levels of a backbone, each finer than the next.
    package init?(_ numbers: [Int]) {
        guard numbers.allSatisfy((2...5).contains), zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 }) else {
            return nil
        }
        self.numbers = numbers
    }

    package init(arrayLiteral numbers: Int...) {
        guard let levels = PyramidLevels(numbers) else { preconditionFailure("\(numbers) are no levels") }
        self = levels
    }
}

/// A place where pixels of two views are compared: C5, or a level of the pyramid seen through a tower.
package struct PixelTerm: Sendable, Equatable {
    /// "level3.cls", "level3" without towers; empty for C5.
    package let name: String
    /// Which of the levels' maps it is of.
    package let level: Int
    /// Which of the branches it passes.
    package let branch: Int

    /// Before the name of a map: "level3.cls.".
    var prefix: String { name.isEmpty ? "" : name + "." }
}

extension PixelModelSettings {
    /// The maps that pixels are of, finest first.
    package var levels: [BackboneLevel] {
        pyramid.levels.numbers.isEmpty
            ? [architecture.top] : pyramid.levels.numbers.map { architecture.levels()[$0 - 2] }
    }

    /// "_cls" and "_bbox" behind the names of what is a tower's; one empty text without towers.
    var branchSuffixes: [String] { hasTowers ? ["_cls", "_bbox"] : [""] }

    package var hasTowers: Bool { !pyramid.levels.numbers.isEmpty && pyramid.towerDepth > 0 }

    /// Channels of what the projectors see.
    package var projectorInputs: Int { pyramid.levels.numbers.isEmpty ? architecture.top.channels : pyramid.channels }

    /// Each level through each branch, finest first.
    package var terms: [PixelTerm] {
        guard !pyramid.levels.numbers.isEmpty else { return [PixelTerm(name: "", level: 0, branch: 0)] }
        return pyramid.levels.numbers.enumerated().flatMap { index, number in
            branchSuffixes.enumerated().map { branch, suffix in
                let tower = suffix.isEmpty ? "" : "." + suffix.dropFirst()
                return PixelTerm(name: "level\(number)\(tower)", level: index, branch: branch)
            }
        }
    }
}
