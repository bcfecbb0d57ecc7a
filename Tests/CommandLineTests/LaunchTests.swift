import Foundation
import TestSupport
import Testing

/// `launch/train` with an mpirun and an ssh of the tests' own: what it decides, within seconds. See ClusterTests for real ones.
@Suite struct LaunchTests {
    func stage(
        mpirun: String, agent: String = "exec sh -c \"$command\"", version: String? = nil,
        _ body: (Stage) throws -> Void
    ) throws {
        try withTemporaryDirectory {
            try body(try Stage($0, mpirun: mpirun, agent: agent, version: version))
        }
    }

    // MARK: Options and hosts

    @Test(arguments: [["--"], []]) func everyOptionOfTrainPasses(_ separator: [String]) throws {
        try stage(mpirun: "exit 0") { stage in
            let words = ["--trace", "s.json", "-c", SmallRun.project + "/configs/small-data.yaml", "images"]
            let result = try stage.launch(["--dry-run"] + separator, words: words)
            #expect(
                result.status == 0 && result.output.hasSuffix("train \(words.joined(separator: " "))\n"), "\(result)")
            #expect(stage.starts == 0 && !FileManager.default.fileExists(atPath: stage.run))
        }
    }

    @Test func anMpirunThatCannotStartTheProgramIsRefused() throws {
        for (words, reason) in [
            ("HYDRA build details:\n    Version:    4.0.2", "the mpirun on the PATH is MPICH 4.0.2's"),
            ("Intel(R) MPI Library for Linux* OS, Version 2021.9", "the mpirun on the PATH is Intel MPI 2021.9's"),
            ("mpirun (Open MPI) 9.0.1", "ranks would not find each other"), ("", "there is no mpirun of Open MPI"),
        ] {
            try stage(mpirun: "exit 0", version: words) { stage in
                for options in [[], ["--dry-run"]] {
                    let result = try stage.launch(options)
                    #expect(result.status == 69 && stage.starts == 0, "\(result)")
                    #expect(result.errorOutput.contains(reason), "\(result)")
                }
                #expect(!FileManager.default.fileExists(atPath: stage.run))
            }
        }
    }

    @Test func hostFilesOfOtherSystemsAreReadAndOthersRefusedWithTheLine() throws {
        try stage(mpirun: "exit 0") { stage in
            for hosts in ["n1 slots=2\r\nn2 slots=2\r\n", "# two hosts\n\nn1 slots=02\n   n2   slots = 2   # spare\n"] {
                let result = try stage.launch(["--dry-run"], hosts: hosts)
                #expect(result.status == 0 && result.output.contains(" -n 4 "), "\(result)")
            }
            let refused = try stage.launch(["--dry-run"], hosts: "n1 slots=abc\n")
            #expect(
                refused.status == 64 && refused.errorOutput.hasPrefix("launch: hosts, line 1: slots=abc"), "\(refused)")
            let octal = try stage.launch(["--dry-run", "--backoff", "08"])
            #expect(octal.status == 0, "\(octal)")
            let wrong = try stage.launch(["--dry-run", "--patience", "long"])
            #expect(wrong.status == 64 && wrong.errorOutput.contains("must be a whole number from 0"), "\(wrong)")
        }
    }

    @Test func aHostThatLacksSomethingIsNamedWithWhatAndLeftOut() throws {
        let agent = """
            case $host in
            silent) echo "connect to host silent: No route to host" >&2; exit 255 ;;
            daemon) command=${command/command -v ???ed/false} ;;
            program) command=${command//pixpro host-report/pixpro-gone host-report} command=${command/pixpro ]/pixpro-gone ]} ;;
            pictures) command=${command//photos/photos-gone} ;;
            other) command=${command//--mark /--mark another} ;;
            full) export TMPDIR=/dev/null ;;
            esac
            exec sh -c "$command"
            """
        try stage(mpirun: "cp $2 $run/../used; exit 0", agent: agent) { stage in
            let hosts = "daemon\nhealthy slots=1\nsilent\nprogram\npictures\nother\nfull\n"
            let alone = try stage.launch([], hosts: hosts)
            #expect(alone.status == 69 && stage.starts == 0, "\(alone)")
            let result = try stage.launch(["--restart", "1"], hosts: hosts)
            #expect(result.status == 0 && stage.starts == 1, "\(result)")
            for line in [
                "host daemon has no Open MPI as here: ",
                "host silent does not answer: connect to host silent: No route to host",
                "host program has no program ", "host pictures does not see the pictures: \(stage.folder)/photos-gone",
                "host other does not see the run's directory: ", "host full has no room for Open MPI's files: ",
                "going on without 6 of 7 hosts",
            ] {
                #expect(result.errorOutput.contains("launch: " + line), "\(line): \(result)")
                #expect(stage.log.contains(line))
            }
            #expect(!result.errorOutput.contains("host healthy"))
            #expect(try String(contentsOfFile: stage.folder + "/used", encoding: .utf8) == "healthy slots=1\n")
            #expect(stage.log.contains("start 1 on healthy (1 rank), from step 0"), "\(stage.log)")
            let left = try FileManager.default.contentsOfDirectory(atPath: stage.folder + "/temporary")
            #expect(left.isEmpty, "what the launcher needs is kept with the run")
        }
    }

    // MARK: Restarts

    @Test func aRunWhoseDirectoryIsGoneIsNeverBegunAnew() throws {
        try stage(mpirun: "began; trained 25; saved 20; mv $run $run-moved; exit 137") { stage in
            let result = try stage.launch(["--restart", "100", "--patience", "4"])
            #expect(result.status == 69 && stage.starts == 1, "\(result)")
            #expect(result.errorOutput.contains("the run's directory is gone: was it moved"), "\(result)")
            #expect(!FileManager.default.fileExists(atPath: stage.run))
        }
    }

    @Test func aRunWhoseDirectoryComesBackGoesOn() throws {
        let mpirun = """
            if ((start == 2)); then ls $run/checkpoints >$run/../seen; exit 0; fi
            began; trained 25; saved 20; away $run 3; mkdir -p $run; exit 137
            """
        // Nothing is mounted: an empty folder is in its place.
        try stage(mpirun: mpirun.replacingOccurrences(of: "; mv $1-away $1", with: "")) { stage in
            let result = try stage.launch(["--restart", "100", "--patience", "2"])
            #expect(result.status == 69 && stage.starts == 1, "\(result)")
            #expect(result.errorOutput.contains("another directory is in the place of the run's own"), "\(result)")
        }
        try stage(mpirun: mpirun.replacingOccurrences(of: "mkdir -p $run; ", with: "")) { stage in
            let result = try stage.launch(["--restart", "100", "--patience", "30"])
            #expect(result.status == 0 && stage.starts == 2, "\(result)")
            #expect(try String(contentsOfFile: stage.folder + "/seen", encoding: .utf8) == "step-00000020\n")
        }
    }

    @Test func aNewestStepThatWentBackStops() throws {
        try stage(
            mpirun: "if ((start == 1)); then began; trained 25; saved 20; exit 79; fi; rm -r $run/checkpoints; exit 79"
        ) {
            let result = try $0.launch(["--restart", "100", "--patience", "3"])
            #expect(result.status == 69 && $0.starts == 2, "\(result)")
            #expect(result.errorOutput.contains("the newest checkpoint went back from step 20 to none"), "\(result)")
        }
    }

    @Test func picturesAndHostsThatAreAwayAreWaitedFor() throws {
        let mpirun = """
            ((start == 1)) || exit 0
            began; trained 5; away $run/../photos 4; touch $run/../silent
            setsid sh -c "sleep 7; rm $run/../silent" >/dev/null 2>&1 & sleep 0.5; exit 137
            """
        try stage(mpirun: mpirun, agent: "[[ ! -e ${0%/bin*}/silent ]] || exit 255; exec sh -c \"$command\"") { stage in
            let result = try stage.launch(["--restart", "1"], hosts: "node1 slots=1\n")
            #expect(result.status == 0 && stage.starts == 2, "one restart is enough: \(result)")
            #expect(result.errorOutput.contains("host node1 does not answer: status 255"), "\(result)")
            #expect(result.errorOutput.contains("launch: restart 1 of 1"), "\(result)")
        }
    }

    @Test func whatNoStartCuresIsNotTriedAgain() throws {
        try stage(mpirun: "exit 78") { stage in
            let refused = try stage.launch(["--restart", "100"])
            #expect(refused.status == 78 && stage.starts == 1 && refused.seconds < 20, "\(refused)")
            try FileManager.default.removeItem(atPath: stage.folder + "/photos")
            let missing = try stage.launch(["--restart", "100"])
            #expect(missing.status == 78 && stage.starts == 1, "\(missing)")
            #expect(missing.errorOutput.contains("/photos: there is no such folder here"), "\(missing)")
            let configuration = try stage.launch(["--restart", "100"], words: ["--set", "run.sead=1", "x"])
            #expect(configuration.status == 78 && configuration.errorOutput.contains("run.seed"), "\(configuration)")
        }
    }

    @Test func aDeathForLackOfMemoryIsCalledSo() throws {
        try stage(mpirun: "began; trained 1; kill -KILL $$") { stage in
            let result = try stage.launch([])
            #expect(
                result.status == 137 && result.errorOutput.contains("the kernel did for lack of memory"), "\(result)")
            #expect(result.errorOutput.contains("lower batch.microBatch"), "\(result)")
        }
    }

    // MARK: Signals

    /// A job that saves within half a second when it is asked.
    private static let obedient =
        "began; trained 1; trap 'sleep 0.5; saved 1; exit 75' USR1; touch $run/up; while :; do sleep 0.1; done"

    @Test(arguments: [[SIGHUP], [SIGTERM], [SIGTERM, SIGTERM], [SIGINT, SIGUSR1]])
    func aSignalSavesAndStops(_ signals: [Int32]) throws {
        try stage(mpirun: Self.obedient) { stage in
            let (result, _) = try whileRunning { wait in
                wait { FileManager.default.fileExists(atPath: stage.run + "/up") }
                for signal in signals {
                    let launcher = try #require(JobProcess.all(of: SmallRun(directory: stage.folder)).first)
                    kill(launcher.id, signal)
                    usleep(250_000)
                }
            } _: {
                try stage.launch(["--restart", "9"])
            }
            #expect(result.status == 75 && stage.starts == 1, "\(result)")
            #expect(result.errorOutput.contains("the run saves and stops"), "\(result)")
            #expect(FileManager.default.fileExists(atPath: stage.run + "/checkpoints/step-00000001"))
        }
    }

    /// SIGUSR2: the run saves, and starts anew on all hosts, also on one that was put on the list meanwhile.
    @Test func hostsAreTakenInOnRequest() throws {
        let mpirun = "((start < 2)) || { cp $2 $run/../used; exit 0; }\n" + Self.obedient
        try stage(mpirun: mpirun) { stage in
            let hosts = "localhost slots=1\nnode2 slots=1\n"
            let (result, _) = try whileRunning { wait in
                wait { FileManager.default.fileExists(atPath: stage.run + "/up") }
                try hosts.write(toFile: stage.folder + "/hosts", atomically: true, encoding: .utf8)
                kill(try #require(JobProcess.all(of: SmallRun(directory: stage.folder)).first).id, SIGUSR2)
            } _: {
                try stage.launch([])
            }
            #expect(result.status == 0 && stage.starts == 2, "\(result)")
            #expect(result.errorOutput.contains("SIGUSR2: the run saves, and starts anew"), "\(result)")
            #expect(try String(contentsOfFile: stage.folder + "/used", encoding: .utf8) == hosts)
            #expect(FileManager.default.fileExists(atPath: stage.run + "/checkpoints/step-00000001"))
        }
    }

    /// mpirun would lose a signal that comes before it has ranks: the launcher ends it, and nothing is lost.
    @Test(arguments: ["", "trap '' USR1 TERM;"])
    func aSignalBeforeTheJobHasBegunLeavesAtOnce(_ deaf: String) throws {
        try stage(mpirun: deaf + "touch $run/up; while :; do sleep 0.1; done") { stage in
            let (result, _) = try whileRunning { wait in
                wait { FileManager.default.fileExists(atPath: stage.run + "/up") }
                kill(try #require(JobProcess.all(of: SmallRun(directory: stage.folder)).first).id, SIGTERM)
            } _: {
                try stage.launch(["--restart", "9"])
            }
            #expect(result.status == 75 && stage.starts == 1 && !result.timedOut, "\(result)")
            #expect(result.errorOutput.contains("before its first step: nothing is lost"), "\(result)")
        }
    }

    @Test func tooFewHostsAreWaitedFor() throws {
        let agent = "[[ $host != node2 || -e ${0%/bin*}/up ]] || exit 255; exec sh -c \"$command\""
        try stage(mpirun: "cp $2 $run/../used; exit 0", agent: agent) { stage in
            let options = ["--restart", "1", "--minimum-hosts"], hosts = "node1 slots=1\nnode2 slots=1\n"
            let missing = try stage.launch(options + ["2", "--patience", "2"], hosts: hosts)
            #expect(missing.status == 69 && stage.starts == 0, "\(missing)")
            #expect(missing.errorOutput.contains("waiting: 1 of 2 hosts can take part, at least 2 are asked for"))
            let (result, _) = try whileRunning { wait in
                wait { stage.log.components(separatedBy: "waiting: ").count > 2 }
                try "".write(toFile: stage.folder + "/up", atomically: true, encoding: .utf8)
            } _: {
                try stage.launch(options + ["2"], hosts: hosts)
            }
            #expect(result.status == 0 && stage.starts == 1, "\(result)")
            #expect(try String(contentsOfFile: stage.folder + "/used", encoding: .utf8) == hosts)
            #expect(try stage.launch(options + ["3"], hosts: hosts).status == 64)
        }
    }

    /// As soon as a host falls silent all are asked, so that nobody waits for them, nor for it, once the job has ended.
    @Test func hostsAreAskedWhileTheJobEnds() throws {
        let mpirun = """
            ((start < 2)) || { cp $2 $run/../used; exit 0; }
            began; trained 1; mkdir -p $run/watchdog; touch $run/../lost; echo node2 >$run/watchdog/silent-$launcher
            sleep 3; date +%s%N >$run/../ended; exit 79
            """
        let agent = """
            folder=${0%/bin*}
            [[ $host != node2 || ! -e $folder/lost ]] || exec sleep 60
            date +%s%N >>$folder/asked-$host; exec sh -c "$command"
            """
        try stage(mpirun: mpirun, agent: agent) { stage in
            let result = try stage.launch(["--restart", "1"], hosts: "node1 slots=1\nnode2 slots=1\n")
            func text(_ name: String) throws -> String {
                try String(contentsOfFile: stage.folder + "/" + name, encoding: .utf8)
            }
            #expect(result.status == 0 && stage.starts == 2, "\(result)")
            #expect(try text("used") == "node1 slots=1\n")
            #expect(
                result.errorOutput.contains("host node2 does not answer: it fell silent while the job ran"),
                "\(result)")
            let asked = try text("asked-node1").split(separator: "\n")
            #expect(asked.count == 2, "not once more after the end: \(result)")
            #expect(try #require(Int(asked[1])) < #require(Int(text("ended").dropLast())))
            #expect(try FileManager.default.contentsOfDirectory(atPath: stage.run + "/watchdog") == [])
        }
    }

    @Test func aSignalWhileNobodyAnswersLeavesAtOnce() throws {
        try stage(mpirun: "exit 0", agent: "exit 255") { stage in
            let (result, _) = try whileRunning { wait in
                wait { stage.log.contains("waiting") }
                kill(try #require(JobProcess.all(of: SmallRun(directory: stage.folder)).first).id, SIGTERM)
            } _: {
                try stage.launch(["--restart", "9"], hosts: "node1\n")
            }
            #expect(result.status == 75 && stage.starts == 0 && result.seconds < 20, "\(result)")
        }
    }
}
