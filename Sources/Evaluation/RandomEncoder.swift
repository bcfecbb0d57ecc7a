import DataParallel
package import MessagePassing
package import NeuralNetwork
import TensorCore

/// An encoder with the initial weights of `seed`: what every score is to be compared with.
///
/// Its running statistics are estimated on `pictures` as training would: with the mean 0 and variance 1 that they start
/// from, features of random weights would be scaled out of any use, and every trained encoder would look good beside
/// them. Each of 64 batches moves them by a tenth; of the start 0.1 % is left. Pictures [S, S, 3] have one size; those
/// that cannot be read give their place to the next. Collective; the same on all ranks.
package func makeRandomEncoder(
    _ architecture: ResNetArchitecture, seed: UInt64, pictures: PictureSource, communicator: any Collective,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
) throws -> ResNet {
    let state = ModelState(seed: seed)
    let encoder = ResNet(architecture, Scope(state, path: "encoder"))
    let pass = Pass(mode: .training, statistics: try SynchronizedStatistics(communicator: communicator))
    let batches = 64, batchSize = max(32, communicator.size)
    let order = shuffled(pictures.count, key: seed, 0x666C_6F6F_72)
    for batch in 0..<batches {
        let places = communicator.slice(of: Array(batch * batchSize..<(batch + 1) * batchSize))
        let images = try communicator.agree(on: "reading pictures for the random encoder") {
            try progress(batch, batches)
            return try places.map { try loadReadable(pictures, order: order, from: $0) }
        }
        _ = try encoder(Variable(stacked(images)), pass)
    }
    return encoder
}

/// The picture at place `start` of the repeated `order`, or the next after it that can be read.
private func loadReadable(_ pictures: PictureSource, order: [Int], from start: Int) throws -> Tensor {
    var reason = "there is no picture"
    for place in start..<start + min(order.count, 64) {
        let index = order[place % order.count]
        do { return try pictures.load(index) } catch { reason = "\(pictures.name(index)): \(error)" }
    }
    throw EvaluationError("no picture can be read; the last tried: \(reason)")
}
