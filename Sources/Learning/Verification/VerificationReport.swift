import Foundation

/// How far a run was from its reference, step by step and tensor by tensor.
package struct VerificationReport: Sendable {
    package struct Loss: Sendable {
        package let step: Int
        /// The part of the loss; empty for the whole.
        package let term: String
        package let loss: Double
        package let expected: Double
        package let allowed: Double

        package init(step: Int, term: String, loss: Double, expected: Double, allowed: Double) {
            (self.step, self.term, self.loss, self.expected, self.allowed) = (step, term, loss, expected, allowed)
        }

        package var error: Double { abs(loss - expected) }
        package var passed: Bool { error <= allowed }
    }

    package struct TensorError: Sendable {
        /// `training kernels` as they are; or features, gradient, weights with exact sums.
        package let kind: String
        package let name: String
        package let error: Double
        package let allowed: Double

        package init(kind: String, name: String, error: Double, allowed: Double) {
            (self.kind, self.name, self.error, self.allowed) = (kind, name, error, allowed)
        }

        // Written so that a NaN fails.
        package var passed: Bool { error <= allowed }

        /// The part of the model: `encoder.layer1`, `projector`, … .
        var group: String {
            let parts = name.split(separator: ".")
            return parts.count > 1 && parts[1].hasPrefix("layer") ? parts[0...1].joined(separator: ".") : "\(parts[0])"
        }
    }

    /// Compute threads of each rank.
    package let threads: [Int]
    package var losses: [Loss] = []
    package var tensors: [TensorError] = []
    /// Cases of the reference that this program cannot express.
    package var notOffered: [String] = []
    /// What else is to be said of it.
    package var remarks: [String] = []

    package init(threads: [Int]) { self.threads = threads }

    package var passed: Bool { failures == 0 && !losses.isEmpty }

    /// Figures that are past their tolerance.
    package var failures: Int { tensors.count { !$0.passed } + losses.count { !$0.passed } }

    /// All of them, to the last bit.
    package var errors: [UInt64] { losses.map(\.error.bitPattern) + tensors.map(\.error.bitPattern) }

    /// Whether nothing but gradients and what they have moved, weights and later losses, is past its tolerance.
    package var mayHangOnRounding: Bool {
        failures > 0 && losses.allSatisfy { $0.passed || $0.step > 0 }
            && tensors.allSatisfy { $0.passed || ReferenceFile.kindsBehindRectifiers.contains($0.kind) }
    }

    /// A line for each step and each group of tensors, worst tensor named, and a verdict.
    package var text: String {
        var lines = ["step      loss            reference       error     allowed"]
        for loss in losses {
            lines.append(
                String(
                    format: "%4d  %14.9f  %14.9f   %.2e  %.2e  %@", loss.step, loss.loss, loss.expected, loss.error,
                    loss.allowed, mark(loss.passed)) + "  " + loss.term)
        }
        lines += ["", "tensors of              count  worst error  allowed   where"]
        for (key, rows) in groups {
            // The worst is the one that comes nearest to, or furthest past, what is allowed.
            let worst = rows.max { $0.error / $0.allowed < $1.error / $1.allowed }!
            let title = key.padding(toLength: max(key.count, 24), withPad: " ", startingAt: 0)
            lines.append(
                title + String(format: "%5d  %.2e     %.2e  ", rows.count, worst.error, worst.allowed)
                    + "\(mark(rows.allSatisfy(\.passed)))  \(worst.name)")
        }
        if !notOffered.isEmpty { lines += ["", "not offered: " + notOffered.joined(separator: ", ")] }
        if !remarks.isEmpty { lines += [""] + remarks }
        lines.append("")
        lines.append(
            passed
                ? "verified on \(ranks): \(losses.count) losses and \(tensors.count) tensors agree with the reference"
                : "NOT verified on \(ranks): \(failures) of \(losses.count + tensors.count) figures are past their "
                    + "tolerance")
        return lines.joined(separator: "\n")
    }

    /// "2 ranks with 1 thread each".
    private var ranks: String {
        let (least, most) = (threads.min()!, threads.max()!)
        let count = least == most ? "\(most)" : "\(least) to \(most)"
        return "\(threads.count) rank\(threads.count == 1 ? "" : "s") with \(count) thread\(most == 1 ? "" : "s")"
            + (threads.count == 1 ? "" : " each")
    }

    private var groups: [(String, [TensorError])] {
        var order: [String] = [], rows: [String: [TensorError]] = [:]
        for tensor in tensors {
            let key = "\(tensor.kind) \(tensor.group)"
            if rows[key] == nil { order.append(key) }
            rows[key, default: []].append(tensor)
        }
        return order.map { ($0, rows[$0]!) }
    }

    private func mark(_ passed: Bool) -> String { passed ? "ok  " : "FAIL" }
}
