import MessagePassing
import TensorCore

/// Sums gradients over all ranks in bfloat16 messages: half the bytes of float32.
///
/// Every rank rounds what it has once and sends each rank its part; that rank sums the parts in float32 in rank order,
/// rounds the sum once, and all gather the sums. Ranks get the same bits, whatever their number of threads or timing.
final class HalvedSum {
    private let communicator: any Collective

    init(communicator: any Collective) { self.communicator = communicator }

    /// Replaces `gradients` (float32) by their sum. Returns the bytes handed to collectives by this rank.
    func sum(_ gradients: Tensor) throws -> Int {
        let ranks = communicator.size, part = (gradients.count + ranks - 1) / ranks
        let sent = Tensor.zeros([ranks, part], .bfloat16), received = Tensor([ranks, part], .bfloat16)
        gradients.cast(into: sent.view(offset: 0, shape: [gradients.count]))
        try communicator.exchangeParts(UnsafeRawBufferPointer(sent.rawBytes), into: received.rawBytes)

        let total = received.rows(0..<1).cast(to: .float32)
        for rank in 1..<ranks { total.addOnThisThread(received.rows(rank..<rank + 1).cast(to: .float32)) }
        let rounded = total.cast(to: .bfloat16)
        try communicator.gatherParts(UnsafeRawBufferPointer(rounded.rawBytes), into: sent.rawBytes)
        sent.view(offset: 0, shape: [gradients.count]).cast(into: gradients)
        return sent.byteCount + part * ElementType.bfloat16.byteCount
    }
}

extension Tensor {
    fileprivate var rawBytes: UnsafeMutableRawBufferPointer { .init(start: bytes, count: byteCount) }
}
