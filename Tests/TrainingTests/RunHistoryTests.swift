import Checkpointing
import DataParallel
import Files
import Foundation
import MessagePassing
import PixelLearning
import Settings
import SystemPackage
import TensorCore
import TestSupport
import Testing
import Training

/// What is kept of a run over its starts, and what follows from it.
@Suite struct RunHistoryTests {
    // MARK: The file

    @Test func theIdentityStaysAndStartsAreCounted() throws {
        try withTemporaryDirectory { path in
            let directory = RunDirectory(FilePath(path))
            let identities = try [0, 40, 30].enumerated().map { number, step -> String in
                let identities = try SimulatedRanks(2).run { world -> String in
                    let history = try RunHistory(directory, over: world, failures: recorded())
                    #expect(history.start == number && history.identity.count > 8)
                    try history.begin(step: step, began: 1, over: world)
                    #expect(history.start == number + 1)
                    history.stepped(step + 5, seconds: 2)
                    if number == 2 { history.end(step: step + 5, status: 0) }
                    return history.identity
                }
                #expect(Set(identities).count == 1)
                return identities[0]
            }
            #expect(Set(identities).count == 1)
            let events = try RunEvent.read(directory.history)
            // The first step of each start is noted at once.
            #expect(events.map(\.kind) == [.run, .start, .beat, .start, .beat, .start, .beat, .beat, .ended])
            #expect(events[7].spent == ["training": 2] && events[7].step == 35 && events[8].status == 0)
            // A crash within a line: what is whole is read, and what comes next begins a line of its own.
            let cut = Array(#"{"kind":"beat","ti"#.utf8)
            try AppendedFile(path: directory.history).append(cut)
            RunEvent.noteEnd(of: directory, status: 1)
            try AppendedFile(path: directory.history).append(cut)
            _ = try SimulatedRanks(1).run { world in
                try RunHistory(directory, over: world, failures: recorded()).begin(step: 7, over: world)
            }
            #expect(try RunEvent.read(directory.history).map(\.kind) == events.map(\.kind) + [.ended, .start])
            #expect(RunEvent.run(in: directory)?.course.starts == [0, 40, 30, 7])
            RunEvent.noteEnd(of: RunDirectory(FilePath(path + "/nothing")), status: 1)
        }
    }

    /// What a start notes is known to the next, and to the launcher.
    @Test func theCutOfAnUpdateAndComparedPicturesAreRemembered() throws {
        try withTemporaryDirectory { path in
            let directory = RunDirectory(FilePath(path))
            #expect(RunEvent.run(in: directory) == nil)
            let compared = ComparedPictures(fingerprint: 7, hosts: ["node1", "node2"])
            try SimulatedRanks(2).run { world in
                let history = try RunHistory(directory, over: world, failures: recorded())
                let cut = UpdateCut(microBatches: 3, microBatch: nil)
                try history.begin(step: 0, preparing: [.pictures: 2], cut: cut, compared: compared, over: world)
                try history.begin(step: 4, over: world)
            }
            let events = try RunEvent.read(directory.history)
            #expect(events[1].spent == ["finding pictures": 2] && events[1].cut?.microBatches == 3)
            #expect(RunEvent.run(in: directory)?.course == RunCourse(starts: [0, 4]))
            #expect(compared.areKnown(from: events))
            #expect(ComparedPictures(fingerprint: 7, hosts: ["node2"]).areKnown(from: events))
            #expect(!ComparedPictures(fingerprint: 8, hosts: ["node2"]).areKnown(from: events), "other pictures")
            #expect(!ComparedPictures(fingerprint: 7, hosts: ["node1", "node3"]).areKnown(from: events), "a new host")
            var configuration = RunConfiguration()
            configuration.run.directory = directory.path
            #expect(try configuration.microBatchesKept() == 3, "without any checkpoint on disk")
            configuration.batch.microBatch = 8
            #expect(try configuration.microBatchesKept() == nil, "set anew")
        }
    }

    // MARK: Goodput

    private func start(_ step: Int, began: Double?, ready: Double) -> RunEvent {
        RunEvent(.start, time: ready, step: step, began: began)
    }

    private func beat(_ time: Double, _ step: Int, training: Double, saving: Double = 0) -> RunEvent {
        RunEvent(.beat, time: time, step: step, spent: ["training": training, "saving": saving])
    }

    @Test func anUndisturbedRunIsItsSteps() throws {
        let goodput = try #require(
            Goodput([start(0, began: 100, ready: 110), beat(200, 50, training: 80, saving: 6)], now: 200))
        #expect(goodput.wall == 100 && goodput.share == 0.8 && goodput.starts == 1)
        #expect(goodput.seconds == [.training: 80, .again: 0, .saving: 6, .evaluating: 0, .restart: 10, .rest: 4])
        #expect(
            goodput.text.hasPrefix("goodput 0.8 of 1m40s since the first of 1 start: steps that counted 80.0 s, saving")
        )
        #expect(goodput.metrics["goodput"] == 0.8 && goodput.metrics["secondsTraining"] == 80)
        #expect(Goodput([RunEvent(.run, time: 0, identity: "x")], now: 9) == nil)
    }

    /// A fault after step 50 that costs ten steps, 2 s until it is noticed, and 5 s until training goes on.
    @Test func aFaultCostsWhatItCosts() throws {
        let events = [
            start(0, began: 0, ready: 0), beat(100, 50, training: 100), RunEvent(.ended, time: 102, status: 137),
            start(40, began: 104, ready: 107), beat(127, 50, training: 20),
        ]
        let goodput = try #require(Goodput(events, now: 127))
        #expect(abs(goodput.seconds[.training]! - 100) < 1e-9 && abs(goodput.seconds[.again]! - 20) < 1e-9)
        #expect(goodput.seconds[.detection] == 2 && goodput.seconds[.restart] == 5 && goodput.starts == 2)
        #expect(abs(goodput.share - 100 / 127) < 1e-12)
        #expect(abs(goodput.seconds.values.reduce(0, +) - goodput.wall) < 1e-9)
        // Going back once more, over both, costs of both.
        let further = try #require(
            Goodput(events + [start(20, began: nil, ready: 127), beat(137, 25, training: 10)], now: 137))
        #expect(abs(further.seconds[.training]! - 50) < 1e-9 && abs(further.seconds[.again]! - 80) < 1e-9)
    }

    @Test func waitingThatWasAskedForIsNoFault() throws {
        let events = [
            start(0, began: 0, ready: 1), beat(50, 10, training: 49),
            RunEvent(.ended, time: 50, status: stoppedExitStatus),
            RunEvent(.ended, time: 51, status: stoppedExitStatus), start(10, began: 90, ready: 91),
            beat(100, 12, training: 9),
        ]
        let goodput = try #require(Goodput(events, now: 100))
        #expect(goodput.seconds[.stopped] == 40 && goodput.seconds[.detection] == 0 && goodput.seconds[.restart] == 2)
        #expect(goodput.share == 0.58)
    }

    /// Another job that was refused in the directory has left its mark in the history; the first one trained on.
    @Test func theEndOfARefusedJobIsNotThatOfTheOneThatTrains() throws {
        let events = [
            start(0, began: 0, ready: 0), beat(4, 2, training: 4), RunEvent(.ended, time: 5, status: 78),
            beat(1000, 500, training: 1000), RunEvent(.ended, time: 1004, status: 137),
            start(500, began: 1008, ready: 1010),
            beat(1020, 505, training: 10),
        ]
        let goodput = try #require(Goodput(events, now: 1020))
        #expect(goodput.seconds[.restart] == 6 && goodput.seconds[.detection] == 4, "\(goodput)")
        #expect(abs(goodput.seconds[.training]! - 1010) < 1e-9)
    }

    // MARK: Copies

    /// What a run has in the memory of hosts is not the past of a copy; a directory that is moved stays the run's.
    @Test func aCopyOfARunIsAnotherRun() throws {
        try withTemporaryDirectory { path in
            func identity(_ name: String) throws -> String {
                try SimulatedRanks(2).run { world in
                    let history = try RunHistory(
                        RunDirectory(FilePath("\(path)/\(name)")), over: world, failures: recorded())
                    try history.begin(step: 5, over: world)
                    return history.identity
                }[0]
            }
            func known(_ name: String) -> String? {
                RunEvent.run(in: RunDirectory(FilePath("\(path)/\(name)")))?.identity
            }
            let files = FileManager.default
            try files.createDirectory(atPath: path + "/first", withIntermediateDirectories: false)
            let first = try identity("first")
            try files.copyItem(atPath: path + "/first", toPath: path + "/copy")
            #expect(known("first") == first && known("copy") == nil)
            let copy = try identity("copy")
            #expect(copy != first && known("copy") == copy)
            #expect(try identity("copy") == copy && identity("first") == first)
            try files.moveItem(atPath: path + "/first", toPath: path + "/moved")
            #expect(try known("moved") == first && identity("moved") == first)
        }
    }

    // MARK: What is due

    @Test func whatMayCostAShareIsDueByWhatItCost() {
        var pace = Pace(seconds: nil, share: 0.01)
        #expect(pace.isDue, "what it costs is not known before the first time")
        pace.done(cost: 0.5)
        pace.add(49)
        #expect(!pace.isDue && pace.seconds == 50)
        pace.add(1)
        #expect(pace.isDue)
        var fixed = Pace(seconds: 7, share: 0.01)
        fixed.done(cost: 100)
        fixed.add(6.9)
        #expect(!fixed.isDue)
        fixed.add(0.1)
        #expect(fixed.isDue)
    }

    /// Three ranks, one of which comes to differ.
    @Test func ranksThatDifferAreFoundWhenTheyAreCompared() throws {
        var numbers = RunConfiguration(task: PretrainingSettings()).numbers
        numbers.replicaSteps = 3
        let found = try SimulatedRanks(3).run { [numbers] world -> (due: [Int], errors: [String]) in
            var watch = ReplicaWatch(numbers), due: [Int] = [], errors: [String] = []
            let weights = Tensor([4], [1, 2, 3, 4])
            for step in 1...7 {
                if step == 5, world.rank == 2 { weights.floats[1] = 2.0000002 }
                guard watch.isDue(at: step) else { continue }
                due.append(step)
                do {
                    try watch.compare([("weights", weights)], at: step, over: world)
                } catch let error as ReplicaMismatchError {
                    errors.append(error.finding)
                }
            }
            return (due, errors)
        }
        for rank in found {
            #expect(rank.due == [3, 6])
            #expect(
                rank.errors == [
                    "ranks do not agree on the values of weights: rank 2 (host2) differs from the rest of 3"
                ])
        }
        numbers.replicaSteps = 0
        #expect(!ReplicaWatch(numbers).isDue(at: 3))
        numbers.replicaSteps = .auto
        #expect(ReplicaWatch(numbers).isDue(at: 1))
    }
}
