import Files
import Foundation
import Learning
import TensorCore

/// The settings of a reference, which must be those of one of the dialects.
extension ReferenceMetadata {
    func inpainterSettings() throws -> (InpainterSettings, HoleForm) {
        var settings = InpainterSettings()
        let attention = try parsed("attention") { AttentionOptions($0) }
        let form = attention.form
        guard let dialect = try InpaintingDialect.allCases.first(where: { try isOf($0, form, attention) }) else {
            throw ReferenceError(
                description: "\(path.shown): its options are those of neither dialect, \(try text("border")) borders, "
                    + "discount by \(try text("discount")), attention \(try text("attention"))")
        }
        settings.dialect = dialect
        settings.channels = try number("cnum", in: 2...512)
        settings.hasAttention = try !flag("baseline")
        settings.loss.criticSteps = try number("critic_steps", in: 1...100)
        settings.loss.adversarialWeight = try parsed("gan_weight", Double.init)
        settings.loss.penaltyWeight = try parsed("penalty_weight", Double.init)
        settings.loss.holeWeight = try parsed("l1_weight", Double.init)
        settings.loss.knownWeight = try parsed("ae_weight", Double.init)
        settings.loss.coarseWeight = try parsed("coarse_weight", Double.init)
        for (key, value) in [
            ("alignment", "same"), ("gan", "wgan-gp"), ("detach_coarse", "False"), ("fine_weight", "1.0"),
            ("betas", "(0.5, 0.9)"), ("width", try text("height")),
        ] where try text(key) != value {
            throw ReferenceError(
                description: "\(path.shown): '\(key)' is \(try text(key)), but only \(value) is offered")
        }
        return (settings, form)
    }

    private func isOf(_ dialect: InpaintingDialect, _ form: HoleForm, _ attention: AttentionOptions) throws -> Bool {
        let border = try text("border") == "reflect" ? Border.mirrored : .zeros
        let discount = try text("discount") == "mask" ? Discount.fromKnown : .fromWindow
        return attention.layer == dialect.attention && border == dialect.border
            && discount == dialect.discount(of: form)
    }

    private func flag(_ key: String) throws -> Bool { try parsed(key) { ["True": true, "False": false][$0] } }
}

/// Options of a layer, as references write them.
struct AttentionOptions: Decodable {
    private let kernel, rate, stride, propagate: Int
    private let scale: Double
    private let order, edges, masking, average: String
    private let isCosine: Bool
    private let maskReduction: String

    private enum CodingKeys: String, CodingKey {
        case kernel, rate, stride, propagate, scale, order, edges, masking, average
        case isCosine = "foreground_norm"
        case maskReduction = "mask_reduce"
    }

    init?(_ json: String) {
        guard let options = try? JSONDecoder().decode(Self.self, from: Data(json.utf8)) else { return nil }
        self = options
    }

    var form: HoleForm { maskReduction == "max" ? .free : .rectangle }

    /// Nil where the layer does not do that.
    var layer: PatchAttention? {
        guard kernel == 3, rate == 2, stride == 1, propagate == 3, scale == 10, masking == "inf" else { return nil }
        return PatchAttention(
            isCosine: isCosine, propagatesScores: order == "before", wraps: edges == "wrap",
            averagesByCount: average == "count")
    }
}
