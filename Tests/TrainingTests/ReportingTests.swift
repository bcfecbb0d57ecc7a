import Files
import Foundation
import Synchronization
import SystemPackage
import Testing
import Threads
import Training

/// A fresh folder that is gone afterwards.
private func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "pixpro-reporting-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }  // only litter in the temporary folder
    return try body(folder.path)
}

/// Collects what a console would show, at a time that the test decides.
private final class Screen: Sendable {
    private let shown = Mutex("")
    private let seconds = Mutex(0.0)

    var text: String { shown.withLock { $0 } }

    func console(isTerminal: Bool, columns: Int = 80) -> Console {
        Console(isTerminal: isTerminal, columns: { columns }, output: take)
    }

    @Sendable func take(_ text: String) -> Bool {
        shown.withLock { $0 += text }
        return true
    }

    func advance(_ by: Double) { seconds.withLock { $0 += by } }

    var clock: any TimeSource { TestTime { self.seconds.withLock { $0 } } }
}

/// Time that passes as a test says.
private struct TestTime: TimeSource {
    let now: @Sendable () -> Double
    let wall = 1_795_486_284.0
    var monotonic: Double { now() }

    func pause(seconds: Double) {}
}

private func progress(step: Int) -> RunProgress {
    RunProgress(
        epoch: 3, epochs: 100, step: step, steps: 127_000, loss: -1.41234, learningRate: 0.84,
        imagesPerSecond: 16.24, dataShare: 0.03, computeShare: 0.86, communicationShare: 0.11, secondsLeft: 187_200)
}

@Suite struct ProgressTests {
    @Test func theWholeLine() {
        #expect(
            progress(step: 4120).line()
                == "epoch 3/100  step 4120/127000  3.2%  loss -1.4123  lr 0.840  16.2 images/s  data 3%  "
                + "compute 86%  communication 11%  2d04h left")
    }

    @Test func narrowTerminalsDropTheLeastNeeded() {
        let line = progress(step: 4120).line(columns: 79)
        #expect(line == "epoch 3/100  step 4120/127000  loss -1.4123  16.2 images/s  2d04h left")
        for columns in 1...130 { #expect(progress(step: 4120).line(columns: columns).count <= columns) }
        #expect(progress(step: 4120).line(columns: 14) == "loss -1.4123")
    }

    @Test func aTerminalHasOneLivingLineAndTheFilePlainOnes() throws {
        try withFolder { folder in
            let screen = Screen()
            let log = try RunLog(
                path: "\(folder)/log.txt", console: screen.console(isTerminal: true), clock: screen.clock)
            let line = ProgressLine(log: log, everySeconds: 60, clock: screen.clock)
            line.update(progress(step: 1))
            line.update(progress(step: 2))  // too soon to draw
            screen.advance(1)
            line.update(progress(step: 3))
            log.warning("1 image skipped")
            line.finish()
            let drawn = screen.text
            #expect(!drawn.contains("step 2/"))
            #expect(drawn.contains("\r\u{1b}[Kwarning: 1 image skipped\nepoch 3/100  step 3/127000"))
            #expect(drawn.hasSuffix("\r\u{1b}[K"))
            #expect(drawn.split(separator: "\n").allSatisfy { $0.split(separator: "\r").allSatisfy { $0.count <= 82 } })
            let file = try WholeFile.text(of: FilePath(folder + "/log.txt"))
            #expect(!file.contains("\r"))
            let lines = file.split(separator: "\n")
            #expect(lines.count == 2)
            #expect(lines[0].hasPrefix("2026-11-24T02:11:24Z  info     epoch 3/100  step 1/127000"))
            #expect(lines[1] == "2026-11-24T02:11:24Z  warning  1 image skipped")
        }
    }

    @Test func offATerminalThereAreOnlyWholeLinesNowAndThen() throws {
        try withFolder { folder in
            let screen = Screen()
            let log = try RunLog(
                path: "\(folder)/log.txt", console: screen.console(isTerminal: false), clock: screen.clock)
            let line = ProgressLine(log: log, everySeconds: 60, clock: screen.clock)
            for step in 1...121 {
                line.update(progress(step: step), isEpochEnd: step == 30)
                screen.advance(1)
            }
            line.finish()
            #expect(!screen.text.contains("\r"))
            #expect(!screen.text.contains("\u{1b}"))
            let steps = screen.text.split(separator: "\n").map { $0.split(separator: " ")[3] }
            #expect(steps == ["1/127000", "30/127000", "90/127000"])
        }
    }

    @Test func messagesThatNothingReadsAreCountedAndSaid() {
        let screen = Screen(), isRead = Mutex(true)
        let console = Console(
            isTerminal: true,
            output: { text in
                guard isRead.withLock({ $0 }) else { return false }
                return screen.take(text)
            })
        console.print("one")
        isRead.withLock { $0 = false }
        for _ in 0..<3 { console.print("unread") }
        console.redraw("step 7")
        isRead.withLock { $0 = true }
        console.print("five")
        console.print("six")
        let notice = "(3 messages are missing here: nothing read them in time; a run's log.txt has all)\n"
        #expect(screen.text == "one\n\r\u{1b}[K" + notice + "five\nstep 7\r\u{1b}[Ksix\nstep 7")
    }

    @Test func durationsAndTimes() {
        #expect(
            [0, 59.4, 75, 700, 11_100, 187_200].map(TimeText.duration) == [
                "0s", "59s", "1m15s", "11m", "3h05m", "2d04h",
            ])
        #expect(TimeText.duration(.infinity) == "?")
        #expect(TimeText.utc(0) == "1970-01-01T00:00:00Z")
    }

    /// A disk that is full for a while.
    @Test func aLogThatCouldNotBeWrittenGoesOn() throws {
        try withFolder { folder in
            let path = folder + "/log.txt"
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/full")
            let screen = Screen()
            let log = try RunLog(path: FilePath(path), console: screen.console(isTerminal: false), clock: screen.clock)
            log.info("a")
            log.info("b")
            #expect(screen.text.hasPrefix("a\nwarning: "))
            #expect(screen.text.hasSuffix("goes on here only\nb\n"), "said once")
            try FileManager.default.removeItem(atPath: path)
            log.info("c")
            log.info("d")
            let lines = try WholeFile.text(of: FilePath(path)).split(separator: "\n")
            #expect(lines.count == 3 && lines[0].hasSuffix("2 lines were lost while this file could not be written"))
            #expect(lines[1].hasSuffix("info     c") && lines[2].hasSuffix("info     d"))
        }
    }

    @Test func linesOfOneMessageStayTogether() throws {
        try withFolder { folder in
            let screen = Screen()
            let log = try RunLog(
                path: "\(folder)/log.txt", console: screen.console(isTerminal: false), clock: screen.clock)
            log.info("a\nb")
            log.error("c")
            #expect(screen.text == "a\nb\nerror: c\n")
            let again = try RunLog(
                path: "\(folder)/log.txt", console: screen.console(isTerminal: false), clock: screen.clock)
            again.info("d")
            let indent = String(repeating: " ", count: 31)
            #expect(
                try WholeFile.text(of: FilePath(folder + "/log.txt"))
                    == "2026-11-24T02:11:24Z  info     a\n\(indent)b\n2026-11-24T02:11:24Z  error    c\n"
                    + "2026-11-24T02:11:24Z  info     d\n")
            #expect(throws: FileError.self) { try RunLog(path: FilePath(folder + "/missing/log.txt")) }
        }
    }
}

@Suite struct MetricsTests {
    private func record(_ step: Int) -> MetricRecord {
        MetricRecord(.train, step: step, epoch: Double(step) / 4, time: 1.5, values: ["loss": -Double(step) / 8])
    }

    @Test func aRecordIsOneLineOfJSON() throws {
        let full = MetricRecord(
            .evaluation, step: 12, epoch: 2, time: 1_795_486_284.25,
            values: ["kNNAccuracy": 0.436, "loss": .nan, "a\"b": 1e-9, "count": 3])
        #expect(
            full.json == #"{"kind":"evaluation","step":12,"epoch":2,"time":1795486284.25,"a\"b":1e-09,"count":3,"#
                + #""kNNAccuracy":0.436,"loss":null}"#)
        let back = try #require(MetricRecord(json: full.json))
        #expect(back.values["loss"]?.isNaN == true)
        #expect(back.values.filter { $0.key != "loss" } == full.values.filter { $0.key != "loss" })
        #expect(MetricRecord(json: record(3).json) == record(3))
        // Names of classes are in names of scores, and may hold anything.
        let odd = MetricRecord(.train, step: 1, epoch: 0, time: 1, values: ["IoU \"a\\b\"\t\u{1}\r\n": 0.5])
        #expect(MetricRecord(json: odd.json) == odd && !odd.json.contains("\n"))
        #expect(MetricRecord(json: "{}") == nil)
        #expect(MetricRecord(json: "{\"kind\":\"train\",\"step\":1") == nil)
    }

    @Test func aResumedRunWritesItsStepsOnce() throws {
        try withFolder { folder in
            let path = folder + "/metrics.jsonl"
            var file = try MetricsFile(path: FilePath(path))
            for step in 1...9 { try file.append(record(step)) }
            let before = try WholeFile.text(of: FilePath(path))
            file = try MetricsFile(path: FilePath(path), firstStep: 6)
            #expect(before.hasPrefix(try WholeFile.text(of: FilePath(path))), "what stays keeps its bytes")
            try file.append(record(6))
            let (records, unreadable) = try MetricsFile.read(FilePath(path))
            #expect(records == (1...6).map(record))
            #expect(unreadable.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: path + ".pixpro-partial"))
        }
    }

    @Test func numbersThatStayKeepTheirLastDigit() throws {
        try withFolder { folder in
            let path = folder + "/metrics.jsonl"
            let line = #"{"kind":"train","step":1,"epoch":0.013793103448275862,"time":1,"loss":-0.15343683345450954}"#
            try WholeFile.write("\(line)\n\(record(2).json)\n", to: FilePath(path))
            _ = try MetricsFile(path: FilePath(path), firstStep: 2)
            #expect(try WholeFile.text(of: FilePath(path)) == line + "\n")
        }
    }

    @Test func aLineCutOffByACrashIsDropped() throws {
        try withFolder { folder in
            let path = folder + "/metrics.jsonl"
            try WholeFile.write(
                "\(record(1).json)\n\(record(2).json)\n\(record(3).json.dropLast(6))", to: FilePath(path))
            #expect(try MetricsFile.read(FilePath(path)).unreadableLines == [3])
            let file = try MetricsFile(path: FilePath(path))
            try file.append(record(4))
            #expect(try MetricsFile.read(FilePath(path)).records == [record(1), record(2), record(4)])
        }
    }
}

@Suite struct TensorBoardTests {
    private func bytes(_ hexadecimal: String) -> [UInt8] {
        stride(from: 0, to: hexadecimal.count, by: 2).map { offset in
            UInt8(hexadecimal.dropFirst(offset).prefix(2), radix: 16)!
        }
    }

    /// Bytes computed independently, from TensorFlow's message definitions and record format.
    @Test func goldenRecords() {
        #expect(
            TensorBoardEvent.fileVersion(wallTime: 1.5).record
                == bytes("1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c"))
        #expect(
            TensorBoardEvent.scalars([("train/loss", -1.25)], step: 7, wallTime: 2.5).record
                == bytes(
                    "200000000000000029eda95009000000000000044010072a130a110a0a747261696e2f6c6f7373150000a0bff4361bfd"))
    }

    @Test func aFileHoldsItsRecordsInOrder() throws {
        try withFolder { folder in
            let clock = TestTime { 0 }, begin = 1_795_486_284.0
            let writer = try TensorBoardWriter(directory: FilePath(folder), clock: clock)
            #expect(writer.path.string.contains("/events.out.tfevents.1795486284."))
            try writer.write(MetricRecord(.train, step: 5, epoch: 0, time: 2, values: ["loss": -1, "lr": 2]))
            try writer.text("configuration", "run:\n  seed: 1", step: 0)
            try writer.image("scores", png: [1, 2, 3], width: 4, height: 5, step: 5)
            let expected =
                TensorBoardEvent.fileVersion(wallTime: begin).record
                + TensorBoardEvent.scalars([("train/loss", -1), ("train/lr", 2)], step: 5, wallTime: 2).record
                + TensorBoardEvent.text("configuration", "    run:\n      seed: 1", step: 0, wallTime: begin).record
                + TensorBoardEvent.image("scores", png: [1, 2, 3], width: 4, height: 5, step: 5, wallTime: begin).record
            #expect(try Array(Data(contentsOf: URL(filePath: writer.path.string))) == expected)
            let resumed = try TensorBoardWriter(directory: FilePath(folder), resumedAtStep: 5, clock: clock)
            #expect(resumed.path.string > writer.path.string)
            #expect(
                try Array(Data(contentsOf: URL(filePath: resumed.path.string)))
                    == TensorBoardEvent.fileVersion(wallTime: begin).record
                    + TensorBoardEvent.sessionStart(step: 6, wallTime: begin).record)
            #expect(throws: FileError.self) { try TensorBoardWriter(directory: FilePath(folder + "/missing")) }
        }
    }
}
