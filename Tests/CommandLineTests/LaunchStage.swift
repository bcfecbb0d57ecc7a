import Foundation
import TestSupport

extension LaunchTests {
    /// A folder in which pretended jobs run.
    struct Stage {
        let folder: String
        var run: String { folder + "/run" }
        var log: String { (try? String(contentsOfFile: run + "/launcher/log.txt", encoding: .utf8)) ?? "" }
        /// How often mpirun was started.
        var starts: Int {
            ((try? String(contentsOfFile: folder + "/starts", encoding: .utf8)) ?? "").split(separator: "\n").count
        }

        /// - Parameters:
        ///   - mpirun: lines of bash in the place of a job; `$start` is its number, `$launcher` its launcher's name; `began`,
        ///     `trained STEP`, `saved STEP` and `away FOLDER SECONDS` help.
        ///   - agent: lines of bash in the place of ssh, with `$host` and `$command`.
        ///   - version: what mpirun says to `--version`; by itself the words of the real one.
        init(
            _ folder: String, mpirun: String, agent: String = "exec sh -c \"$command\"", version: String? = nil
        ) throws {
            self.folder = folder
            for name in ["bin", "photos", "temporary"] {
                try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
            }
            try "x".write(toFile: folder + "/photos/a.jpg", atomically: true, encoding: .utf8)
            try "".write(toFile: folder + "/starts", atomically: true, encoding: .utf8)
            try script(
                "bin/mpirun",
                """
                if [[ $1 == --version ]]; then
                    \(version.map { "printf '\($0)'; exit" } ?? "PATH=${PATH#*:} exec mpirun --version")
                fi
                run=\(run) start=$(($(wc -l <\(folder)/starts) + 1))
                echo "$*" >>\(folder)/starts
                launcher=$(sed -n 's/.* PIXPRO_LAUNCHER=\\([^ ]*\\) .*/\\1/p' <<<"$*")
                began() { echo "{\\"kind\\":\\"start\\",\\"step\\":0,\\"epoch\\":0,\\"time\\":$(date +%s.%N)}" >>$run/metrics.jsonl; }
                trained() { echo "{\\"kind\\":\\"train\\",\\"step\\":$1,\\"epoch\\":0,\\"time\\":1}" >>$run/metrics.jsonl; }
                saved() { local d=$run/checkpoints/step-$(printf %08d $1); mkdir -p $d; echo '{}' >$d/manifest.json; }
                away() { mv $1 $1-away; setsid sh -c "sleep $2; mv $1-away $1" >/dev/null 2>&1 & sleep 0.5; }
                \(mpirun)
                """)
            try script("bin/agent", "host=$1; shift; command=\"$*\"\n\(agent)")
        }

        private func script(_ name: String, _ text: String) throws {
            let path = "\(folder)/\(name)"
            try ("#!/bin/bash\n" + text + "\n").write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }

        func launch(
            _ options: [String], hosts: String = "localhost slots=1\n", words: [String]? = nil, timeLimit: Double = 40
        ) throws -> ProcessResult {
            try hosts.write(toFile: folder + "/hosts", atomically: true, encoding: .utf8)
            return try runProcess(
                SmallRun.project + "/launch/train",
                [
                    "--program", try MPILauncher.product("pixpro"), "--hosts", folder + "/hosts", "--agent",
                    folder + "/bin/agent", "--backoff", "1",
                ] + options + (words ?? ["--set", "run.directory=\(run)", folder + "/photos"]),
                environment: [
                    "PATH": "\(folder)/bin:" + (ProcessInfo.processInfo.environment["PATH"] ?? ""),
                    "TMPDIR": folder + "/temporary",
                ], timeLimit: timeLimit)
        }
    }
}
