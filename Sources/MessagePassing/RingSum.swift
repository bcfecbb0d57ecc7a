import CMPI

extension Communicator {
    /// Whether a sum of so many bytes goes around a ring: where few ranks send much. Elsewhere the rounds of a ring take
    /// longer than its messages.
    package static func goesAroundARing(bytes: Int, ranks: Int) -> Bool { ranks <= 64 && bytes / ranks >= 32 << 10 }

    /// Around a ring, each rank of which sends and receives 2·(N−1)/N times the values, or as MPI does it, all at the end.
    package func beginSum(_ values: UnsafeMutableBufferPointer<Float>) throws -> any BegunCollective {
        guard size > 1 else { return CollectiveSequence() }
        let goesAround = Self.goesAroundARing(bytes: values.count * MemoryLayout<Float>.stride, ranks: size)
        // Ranks begin at different places of what they compute, which a check of the order, as it blocks, does not allow.
        guard goesAround, !checksOrder else { return PostponedCollective { try self.sum(values) } }
        let sum = RingSum(values, of: self)
        try sum.begin()
        return sum
    }
}

/// A sum over ranks that is on its way around a ring (Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms").
///
/// Values are cut into N parts. In the first N−1 rounds a rank hands on the sum of a part so far to the next rank and adds
/// its own to what it receives, so that it has the whole sum of one part; in N−1 more rounds these go around. Long buffers
/// travel in pieces, each on a ring of its own, so that while one is added others are on the network; a window says how
/// many. Messages are matched by piece: results do not depend on which is faster.
private final class RingSum: BegunCollective {
    static let name: StaticString = "sum around a ring"
    /// 60 KiB: what Open MPI sends over TCP at once. Longer messages are announced first, and each answer waits until a rank
    /// that computes looks after its messages.
    private static let elementsPerMessage = 15 << 10

    private struct Piece {
        /// Its place among all, by which its messages are matched.
        let number: Int
        let start: Int
        let count: Int
        /// Of 2·(N−1), the round that is on its way.
        var round = 0
        /// When the round began, and how often the rank has looked since.
        var began = ContinuousClock.now
        var looks = 0
    }

    private let communicator: Communicator
    private let values: UnsafeMutableBufferPointer<Float>
    private let window: RingWindow
    /// Those that are on their way; the others follow, in order.
    private var pieces: [Piece] = []
    /// The messages of each of these pieces' round.
    private var pairs: [cmpi_pair] = []
    private var postedPieces = 0
    private let elementsPerPiece: Int
    private let arrivals: UnsafeMutableBufferPointer<Float>
    private var failure: (any Error)?

    private var ranks: Int { communicator.size }
    private var rounds: Int { 2 * (ranks - 1) }
    private var pieceCount: Int { (values.count + elementsPerPiece - 1) / elementsPerPiece }
    private var isComplete: Bool { postedPieces == pieceCount && pieces.isEmpty }

    init(_ values: UnsafeMutableBufferPointer<Float>, of communicator: Communicator) {
        (self.values, self.communicator, window) = (values, communicator, communicator.ringWindow)
        elementsPerPiece = min(Self.elementsPerMessage, communicator.elementsPerCall) * communicator.size
        arrivals = window.arrivals(values.count / communicator.size + communicator.size)
    }

    deinit { window.isInUse = false }

    func begin() throws { try postPieces() }

    func advance() -> Bool {
        guard failure == nil, !isComplete else { return true }
        // What fails is told where the sum is finished.
        do { try goOn() } catch { failure = error }
        return failure != nil || isComplete
    }

    /// Logged wherever it was completed, so that calls have the same numbers on all ranks.
    func finish(meanwhile: (() -> Void)?) throws {
        try communicator.logged(Self.name, count: values.count) {
            if let failure { throw failure }
            try goOn()
            while !isComplete {
                if let meanwhile {
                    meanwhile()
                } else {
                    try communicator.check(cmpi_wait_for_any(&pairs, Int32(pairs.count)), "MPI_Waitany")
                }
                try goOn()
            }
        }
    }

    /// As far as pieces come without waiting.
    private func goOn() throws {
        var index = 0
        while index < pieces.count {
            guard try goOn(index) else {
                index += 1
                continue
            }
            pieces.remove(at: index)
            pairs.remove(at: index)
        }
        try postPieces()
    }

    /// Whether a piece is complete.
    private func goOn(_ index: Int) throws -> Bool {
        pieces[index].looks += 1
        while true {
            var isDone: Int32 = 0
            try communicator.check(cmpi_advance_pair(&pairs[index], &isDone), "MPI_Testall")
            guard isDone != 0 else { return false }
            window.adapt(since: pieces[index].began, looks: pieces[index].looks)
            if pieces[index].round < ranks - 1 { try add(index) }
            pieces[index].round += 1
            guard pieces[index].round < rounds else { return true }
            try post(index)
        }
    }

    /// Begins as many pieces as the window is wide.
    private func postPieces() throws {
        while postedPieces < pieceCount, pieces.count < window.messages {
            let start = postedPieces * elementsPerPiece
            pieces.append(
                Piece(number: postedPieces, start: start, count: min(elementsPerPiece, values.count - start)))
            pairs.append(cmpi_pair())
            postedPieces += 1
            try post(pieces.count - 1)
        }
    }

    /// Begins a round of a piece.
    private func post(_ index: Int) throws {
        let round = pieces[index].round, isAdding = round < ranks - 1
        (pieces[index].began, pieces[index].looks) = (.now, 0)
        let sent = part(communicator.rank - round + (isAdding ? 0 : ranks), of: pieces[index])
        let received = receivedPart(of: pieces[index])
        let target = isAdding ? arrivals(of: pieces[index]) : values.baseAddress! + received.lowerBound
        try communicator.check(
            cmpi_start_pair(
                &pairs[index], values.baseAddress! + sent.lowerBound, Int32(sent.count),
                Int32((communicator.rank + 1) % ranks), target, Int32(received.count),
                Int32((communicator.rank + ranks - 1) % ranks), Int32(pieces[index].number), communicator.handle),
            "MPI_Isend and MPI_Irecv")
    }

    private func add(_ index: Int) throws {
        let part = receivedPart(of: pieces[index])
        try communicator.check(
            cmpi_add(arrivals(of: pieces[index]), values.baseAddress! + part.lowerBound, Int32(part.count)),
            "MPI_Reduce_local")
    }

    /// Which elements a round brings.
    private func receivedPart(of piece: Piece) -> Range<Int> {
        part(communicator.rank - piece.round - (piece.round < ranks - 1 ? 1 : -ranks + 1), of: piece)
    }

    /// The elements of a part, whose number is taken modulo the ranks.
    private func part(_ number: Int, of piece: Piece) -> Range<Int> {
        let number = (number % ranks + ranks) % ranks
        return piece.start + piece.count * number / ranks..<piece.start + piece.count * (number + 1) / ranks
    }

    private func arrivals(of piece: Piece) -> UnsafeMutablePointer<Float> {
        arrivals.baseAddress! + piece.start / ranks
    }
}

/// How many messages of sums a rank has on their way at once, and where they arrive before they are added; kept from sum
/// to sum of a group, of which one is on its way at a time.
///
/// Small messages that others wait for, such as batch statistics, queue behind what is on its way on the same connection:
/// so no more is than a link carries in a few milliseconds. Whether that is much the window learns from how long messages
/// take.
final class RingWindow {
    private static let narrowsAfter = Duration.milliseconds(4), widensBefore = Duration.milliseconds(2)
    private static let widest = 64
    private(set) var messages = 4
    fileprivate(set) var isInUse = false
    private var buffer = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)

    /// After a message: one that was there at the first look waited for its rank, while the link had nothing to do.
    func adapt(since began: ContinuousClock.Instant, looks: Int) {
        let took = ContinuousClock.now - began
        if took < Self.widensBefore || looks < 2 {
            messages = min(messages + 1, Self.widest)
        } else if took > Self.narrowsAfter, looks > 2 {
            messages = max(messages - 1, 1)
        }
    }

    /// So many elements and at least one, with whatever was in them.
    func arrivals(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(!isInUse, "a sum begins while another one of the group is on its way")
        isInUse = true
        if buffer.count < count || buffer.baseAddress == nil {
            buffer.deallocate()
            buffer = .allocate(capacity: max(count, 1))
        }
        return buffer
    }

    deinit { buffer.deallocate() }
}
