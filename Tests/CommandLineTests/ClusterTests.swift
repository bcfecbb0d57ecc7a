import Foundation
import MessagePassing
import TestSupport
import Testing

/// Several hosts as network namespaces, where the system allows them: see cluster/run.
@Suite(.serialized) struct ClusterTests {
    private static let isAllowed: Bool = {
        do {
            return try runProcess(SmallRun.project + "/cluster/run", ["--hosts", "1", "--", "true"]).status == 0
        } catch {
            return false
        }
    }()

    /// Runs a script on the head of a cluster of two hosts; `$1` is the program, `$2` a folder, `$3` the arguments.
    private func onTwoHosts(_ script: String, _ run: SmallRun, _ settings: [String] = []) throws -> ProcessResult {
        let program = try MPILauncher.product("pixpro")
        // Several hosts on one machine are slow enough without other tests' ranks.
        return try MPILauncher.alone {
            try runProcess(
                SmallRun.project + "/cluster/run",
                ["--hosts", "2", "--", "bash", "-c", script, "test", program, run.directory] + run.arguments(settings),
                environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? ""], directory: SmallRun.project,
                timeLimit: 300)
        }
    }

    @Test(.enabled(if: isAllowed, "this system allows no network namespaces"))
    func aRunSurvivesACutCable() throws {
        let settings = [
            "batch.global=24", "schedule.steps=8", "checkpoint.everySteps=2",
        ]
        try SmallRun.with { run in
            let result = try onTwoHosts(
                """
                program=$1 folder=$2; shift 2
                # The pipe ends when nothing holds it any more, a connection to the lost host neither.
                set -o pipefail
                launch/train --program "$program" --restart 3 --backoff 1 "$@" 2>&1 | cat >&2 &
                train=$!
                until [[ -e $folder/run/checkpoints/step-00000002/manifest.json ]]; do sleep 0.2; done
                cluster/host cut node2
                wait $train
                """, run, settings)
            #expect(result.status == 0, "\(result)")
            // The ranks' watchdog, Open MPI's daemons and the connection to the host listen for it: the first of them speaks.
            let noticed = result.errorOutput.firstMatch(of: /noticing(?: and ending the job)? ([0-9.]+) s/)
            #expect(noticed.flatMap { Double($0.1) }.map { $0 < 7 } == true, "\(result)")
            #expect(result.errorOutput.contains("host node2 does not answer: "), "\(result)")
            #expect(result.errorOutput.contains("launch: back in "), "\(result)")
            #expect(result.errorOutput.contains("1 rank × 24 images"), "\(result)")
            #expect(try run.losses().count == 8)
        }
    }

    /// The clock of the second host is an hour behind: the log says so, and nothing else comes of it, also when a rank
    /// dies and the run goes on.
    @Test(.enabled(if: isAllowed && hasCompiler, "needs network namespaces and a C compiler"))
    func clocksThatDifferChangeNothing() throws {
        try SmallRun.with { run in
            try Self.clockSource.write(toFile: run.directory + "/clock.c", atomically: true, encoding: .utf8)
            let settings = ["batch.global=24", "schedule.steps=6", "checkpoint.everySteps=2"]
            let result = try onTwoHosts(
                """
                program=$1 folder=$2; shift 2
                cc -shared -fPIC -o $folder/clock.so $folder/clock.c
                cat > $folder/pixpro <<END
                #!/bin/bash
                [[ \\$(hostname) != node2 ]] || export LD_PRELOAD=$folder/clock.so
                exec $program "\\$@"
                END
                chmod +x $folder/pixpro
                launch/train --program $folder/pixpro --restart 1 --backoff 1 "$@" &
                train=$!
                until [[ -e $folder/run/checkpoints/step-00000002/manifest.json ]]; do sleep 0.2; done
                cluster/host exec node2 pkill -KILL -f 'pixpro train'
                wait $train
                """, run, settings)
            #expect(result.status == 0, "\(result)")
            let warning = "the clock of node2 is 3600 s behind that of node1: training does not depend on it"
            #expect(result.errorOutput.components(separatedBy: warning).count == 3, "one for each start: \(result)")
            #expect(!result.errorOutput.contains("watchdog: "), "\(result)")
            let alone = SmallRun(directory: run.directory + "/alone")
            #expect(try alone.train(ranks: 2, settings).status == 0)
            #expect(try run.losses() == alone.losses() && run.losses().count == 6)
        }
    }

    private static let hasCompiler: Bool = {
        do { return try runProcess("/usr/bin/env", ["cc", "--version"]).status == 0 } catch { return false }
    }()

    /// Stands before the C library's functions and sets the time of day back.
    private static let clockSource = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <sys/time.h>
        #include <time.h>
        int clock_gettime(clockid_t clock, struct timespec *now) {
            int (*next)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
            int code = next(clock, now);
            if (clock == CLOCK_REALTIME) now->tv_sec -= 3600;
            return code;
        }
        time_t time(time_t *out) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            if (out) *out = now.tv_sec;
            return now.tv_sec;
        }
        int gettimeofday(struct timeval *out, void *zone) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            out->tv_sec = now.tv_sec;
            out->tv_usec = now.tv_nsec / 1000;
            return 0;
        }

        """

    /// A rank that waits yields to those of other hosts too.
    @Test(
        .enabled(
            if: isAllowed && access("/sys/fs/cgroup/cpu", W_OK) == 0,
            "needs network namespaces, and control groups of version 1 that can be made"))
    func hostsTakeTurnsAsOneGroup() throws {
        try SmallRun.with { run in
            let result = try onTwoHosts(
                #"""
                for node in node1 node2; do
                    cluster/host exec $node awk -F: '$2 ~ /(^|,)cpu(,|$)/ { print $3 }' /proc/self/cgroup
                done
                """#, run)
            let groups = result.output.split(separator: "\n")
            #expect(groups.count == 2 && groups[0] == groups[1], "\(result)")
            #expect(groups.first?.contains("/pixpro-cluster-") == true, "\(result)")
        }
    }

    @Test(.enabled(if: isAllowed, "this system allows no network namespaces"))
    func hostsThatDifferOrAreNotThereAreRefused() throws {
        try SmallRun.with { run in
            let result = try onTwoHosts(
                """
                program=$1 folder=$2; shift 2
                mkdir $folder/there
                printf 'node1\\nnode2\\nnowhere\\n' > $folder/hosts
                launch/train --program "$program" --hosts $folder/hosts --dry-run "$@"; echo "unknown: $?"
                # Another build and another data folder on node2 alone.
                for node in node1 node2; do cluster/host exec $node mount -t tmpfs own $folder/there; done
                for node in node1 node2; do cluster/host exec $node cp -r "${@: -1}" $folder/there/images; done
                file=$(cluster/host exec node1 bash -c "cd $folder/there && find images -type f | sort | tail -n 1")
                cluster/host exec node2 bash -c "echo more >> $folder/there/$file"
                launch/train --program "$program" "${@:1:$#-1}" $folder/there/images; echo "data: $?"
                # A run directory that is another on every host.
                apart=(--set "run.directory=$folder/there/run")
                launch/train --program "$program" "${apart[@]}" "$@"; echo "seen by launch: $?"
                mpirun -n 2 --map-by node "$program" train "$@" "${apart[@]}"; echo "apart: $?"
                for node in node1 node2; do cluster/host exec $node cp "$program" $folder/there/pixpro; done
                cluster/host exec node2 bash -c "echo >> $folder/there/pixpro"
                mpirun -n 2 --map-by node $folder/there/pixpro train "$@"; echo "program: $?"
                """, run)
            #expect(result.output.contains("unknown: 69") && result.output.contains("data: 78"), "\(result)")
            #expect(result.output.contains("apart: 78") && result.output.contains("program: 78"), "\(result)")
            #expect(
                result.errorOutput.contains("/there/run on node2 is not the directory of rank 0 (node1)"), "\(result)")
            #expect(result.errorOutput.contains("nowhere: Name or service not known"), "\(result)")
            #expect(
                result.errorOutput.contains("has another size (") && result.errorOutput.contains("on node2"),
                "\(result)")
            #expect(result.errorOutput.contains("the program is not the same on all hosts: node2 ("), "\(result)")
        }
    }
}
