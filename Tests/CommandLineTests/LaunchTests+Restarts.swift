import Foundation
import TestSupport
import Testing

/// What befalls a run between its jobs, and beside them.
extension LaunchTests {
    /// Another job in the directory, which was refused there or scores the run, ends: no news of this one.
    @Test func theEndOfAnotherJobIsNoNews() throws {
        let mpirun = """
            began; trained 1; mkdir -p $run/watchdog
            for name in ended ended- ended-another; do echo 78 >$run/watchdog/$name; done
            sleep 4; exit 0
            """
        try stage(mpirun: mpirun) { stage in
            let result = try stage.launch(["--restart", "1"])
            #expect(result.status == 0 && stage.starts == 1, "\(result)")
            #expect(!result.errorOutput.contains("mpirun waits"), "\(result)")
        }
    }

    /// One of its own ranks says that the job is over, and mpirun does not end.
    @Test func theEndOfItsOwnJobIsNotWaitedFor() throws {
        let mpirun = """
            ((start < 2)) || exit 0
            began; trained 1; mkdir -p $run/watchdog; echo 79 >$run/watchdog/ended-$launcher; sleep 60
            """
        try stage(mpirun: mpirun) { stage in
            let result = try stage.launch(["--restart", "1"])
            #expect(result.status == 0 && stage.starts == 2 && result.seconds < 30, "\(result)")
            #expect(result.errorOutput.contains("the ranks have ended, but mpirun waits"), "\(result)")
            let left = try FileManager.default.contentsOfDirectory(atPath: stage.run + "/watchdog")
            #expect(left == [], "its notes go with the launcher")
        }
    }

    /// What fails between the look at the hosts and mpirun is waited for like all else.
    @Test func aStartThatFailsIsTriedAgain() throws {
        let mpirun = """
            ((start < 2)) || exit 0
            began; trained 1; saved 1; cd $run/launcher && mv hosts hosts-file && mkdir hosts
            setsid sh -c "sleep 3; rmdir $run/launcher/hosts" >/dev/null 2>&1 & sleep 0.5; exit 1
            """
        try stage(mpirun: mpirun) { stage in
            let result = try stage.launch(["--restart", "9"])
            #expect(result.status == 0 && stage.starts == 2, "\(result)")
            #expect(result.errorOutput.contains("the job cannot be started: "), "\(result)")
        }
    }

    /// Ranks that save already, in order to start anew, would take another signal for the wish to end at once.
    @Test func aSignalToStopWhileTheRunSavesToStartAnewSavesOnce() throws {
        let mpirun = """
            asked=0; began; trained 1; touch $run/up
            trap 'asked=$((asked + 1)); ((asked < 2)) || exit 138' USR1
            while ((asked == 0)); do sleep 0.1; done
            for ((i = 0; i < 30; i++)); do sleep 0.1; done
            saved 1; exit 75
            """
        try stage(mpirun: mpirun) { stage in
            let (result, _) = try whileRunning { wait in
                wait { FileManager.default.fileExists(atPath: stage.run + "/up") }
                let launcher = try #require(JobProcess.all(of: SmallRun(directory: stage.folder)).first).id
                kill(launcher, SIGUSR2)
                usleep(1_500_000)
                kill(launcher, SIGTERM)
            } _: {
                try stage.launch(["--restart", "9"])
            }
            #expect(result.status == 75 && stage.starts == 1, "\(result)")
            #expect(FileManager.default.fileExists(atPath: stage.run + "/checkpoints/step-00000001"))
        }
    }

    /// `never` refuses a directory that was used before, not the run that this launcher began in it.
    @Test func aRunThatIsNeverToBeResumedGoesOnAfterAFault() throws {
        let mpirun = "((start < 3)) || exit 0; began; trained 5; ((start < 2)) || saved 5; exit 137"
        try stage(mpirun: mpirun) { stage in
            let words = ["--set", "checkpoint.resume=never", "--set", "run.directory=\(stage.run)", "--"]
            let result = try stage.launch(["--restart", "5"], words: words + [stage.folder + "/photos"])
            #expect(result.status == 0 && stage.starts == 3, "\(result)")
            let lines = try String(contentsOfFile: stage.folder + "/starts", encoding: .utf8).split(separator: "\n")
            let overrides = lines.map { line in
                ["auto", "required"].filter { line.contains("--set checkpoint.resume=\($0) -- ") }
            }
            #expect(overrides == [[], ["auto"], ["required"]], "\(lines)")
        }
    }

    /// A disk that takes nothing is waited for, as one that is away.
    @Test func aFullDiskIsWaitedForBeforeARestart() throws {
        // Where a trial is written lies what cannot be replaced.
        let mpirun = """
            ((start < 2)) || exit 0
            began; trained 5; saved 5; mkdir -p $run/launcher/trial/x
            setsid sh -c "sleep 4; rm -r $run/launcher/trial" >/dev/null 2>&1 & sleep 0.5; exit 137
            """
        try stage(mpirun: mpirun) { stage in
            let result = try stage.launch(["--restart", "1"])
            #expect(result.status == 0 && stage.starts == 2, "\(result)")
            #expect(result.errorOutput.contains("waiting: the run's directory cannot be used: "), "\(result)")
            #expect(!FileManager.default.fileExists(atPath: stage.run + "/launcher/trial"))
        }
    }

    /// Metrics of every hundredth step say nothing of the first ninety-nine; the run's history does.
    @Test func stepsThatAreInTheHistoryAloneWereTrained() throws {
        let mpirun = """
            ((start < 2)) || exit 0
            began
            echo '{"kind":"start","step":0,"time":1}' >>$run/history.jsonl
            echo '{"kind":"beat","step":7,"time":2}' >>$run/history.jsonl
            exit 78
            """
        try stage(mpirun: mpirun) { stage in
            let result = try stage.launch(["--restart", "1"])
            #expect(result.status == 0 && stage.starts == 2, "\(result)")
            #expect(stage.log.contains("trained to step 7"), "\(stage.log)")
        }
    }
}
