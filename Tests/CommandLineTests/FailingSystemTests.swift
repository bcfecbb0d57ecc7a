import Foundation
import TestSupport
import Testing

/// The program on a system that fails for a moment, or refuses: a library stands before the C library's functions.
@Suite struct FailingSystemTests {
    private static let hasCompiler: Bool = {
        do { return try runProcess("/usr/bin/env", ["cc", "--version"]).status == 0 } catch { return false }
    }()

    /// FLAKY: of three reads of a picture one fails. RETIRE and ASIDE: at the first read of a shard a folder is renamed.
    /// THREADLESS: the program's own threads are refused. SYNCED: a file that lists what is waited for to be on the disk.
    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <pthread.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        static int reads, shards;
        ssize_t pread(int file, void *bytes, size_t count, off_t at) {
            ssize_t (*next)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread");
            char link[64], name[4096];
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            ssize_t length = readlink(link, name, sizeof name - 1);
            name[length > 0 ? length : 0] = 0;
            if (getenv("FLAKY") && strstr(name, ".jpg") && __atomic_add_fetch(&reads, 1, __ATOMIC_RELAXED) % 3 == 1) {
                errno = reads % 2 ? EIO : ESTALE;
                return -1;
            }
            if (getenv("RETIRE") && strstr(name, "/shard-") && __atomic_add_fetch(&shards, 1, __ATOMIC_RELAXED) == 1)
                rename(getenv("RETIRE"), getenv("ASIDE"));
            return next(file, bytes, count, at);
        }
        ssize_t pread64(int file, void *bytes, size_t count, off_t at) { return pread(file, bytes, count, at); }
        int fsync(int file) {
            char link[64], name[4096];
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            ssize_t length = readlink(link, name, sizeof name - 1);
            name[length > 0 ? length : 0] = 0;
            FILE *list = getenv("SYNCED") ? fopen(getenv("SYNCED"), "a") : NULL;
            if (list) {
                fprintf(list, "%s\\n", name);
                fclose(list);
            }
            return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
        }
        int pthread_create(pthread_t *thread, const pthread_attr_t *kind, void *(*body)(void *), void *argument) {
            int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
            Dl_info place;
            if (getenv("THREADLESS") && dladdr((void *)body, &place) && strstr(place.dli_fname, "pixpro")) return EAGAIN;
            return next(thread, kind, body, argument);
        }

        """

    private func program(
        _ arguments: [String], _ folder: String, _ environment: [String: String]
    ) throws -> ProcessResult {
        let library = folder + "/failing.so"
        if !FileManager.default.fileExists(atPath: library) {
            try Self.source.write(toFile: folder + "/failing.c", atomically: true, encoding: .utf8)
            let built = try runProcess(
                "/usr/bin/env", ["cc", "-shared", "-fPIC", "-o", library, folder + "/failing.c", "-ldl"])
            try #require(built.status == 0, "\(built)")
        }
        let all = MPILauncher.environment.merging(environment) { $1 }.merging(["LD_PRELOAD": library]) { $1 }
        return try MPILauncher.alone {
            try runProcess(try MPILauncher.product("pixpro"), arguments, environment: all, timeLimit: 90)
        }
    }

    @Test(.enabled(if: hasCompiler, "needs a C compiler"))
    func readsThatFailForAMomentAreTriedAgain() throws {
        try withTemporaryDirectory { folder in
            let images = folder + "/images"
            try FileManager.default.copyItem(atPath: SmallRun.data + "/images/train", toPath: images)
            let result = try program(["data", "scan", images], folder, ["FLAKY": "1"])
            #expect(result.status == 0 && result.output.contains("30 images are used, 0 skipped"), "\(result)")
        }
    }

    @Test(.enabled(if: hasCompiler, "needs a C compiler"))
    func aSetOfWhichTooMuchCannotBeReadEndsTheRun() throws {
        try SmallRun.with { run in
            let images = run.directory + "/images"
            try FileManager.default.copyItem(atPath: SmallRun.data + "/images/train", toPath: images)
            let all = try FileManager.default.subpathsOfDirectory(atPath: images).filter { $0.hasSuffix("jpg") }
                .sorted()
            for (number, name) in all.enumerated() where !number.isMultiple(of: 3) {
                try Data("cut".utf8).write(to: URL(fileURLWithPath: images + "/" + name))
            }
            let refused = try run.train(ranks: 1, images: [images])
            #expect(refused.status == 78, "\(refused)")
            #expect(refused.errorOutput.contains("of 30 images cannot be read, more than data.unreadableLimit (0.2)"))
            let allowed = try run.train(ranks: 1, ["data.unreadableLimit=0.9", "schedule.steps=1"], images: [images])
            #expect(allowed.status == 0, "\(allowed)")
        }
    }

    @Test(.enabled(if: hasCompiler, "needs a C compiler"))
    func aCheckpointThatIsRetiredWhileItIsReadIsNoDamage() throws {
        try SmallRun.with { run in
            #expect(try run.train(ranks: 1, ["schedule.steps=4", "checkpoint.everySteps=2"]).status == 0)
            let checkpoints = run.run + "/checkpoints", trash = checkpoints + "/.trash-x"
            let verified = try program(
                ["checkpoint", "verify", run.run], run.directory,
                ["RETIRE": checkpoints + "/step-00000002", "ASIDE": trash])
            #expect(verified.status == 0, "\(verified)")
            #expect(verified.output.contains("retired  \(checkpoints)/step-00000002  by the training"), "\(verified)")
            try FileManager.default.moveItem(atPath: trash, toPath: checkpoints + "/step-00000002")
            let exported = try program(
                ["export", run.run, "--output", run.directory + "/b.safetensors"], run.directory,
                ["RETIRE": checkpoints + "/step-00000004", "ASIDE": trash])
            #expect(exported.status == 0 && !exported.errorOutput.contains("damaged"), "\(exported)")
            // The last one: nothing may begin as if there had never been any.
            let vanished = try program(
                ["export", run.run, "--output", run.directory + "/c.safetensors"], run.directory,
                ["RETIRE": checkpoints + "/step-00000002", "ASIDE": trash + "2"])
            #expect(
                vanished.status == 78 && vanished.errorOutput.contains("vanished while they were read"), "\(vanished)")
        }
    }

    /// Once training has begun only checkpoints wait for the disk, on threads of their own: where rank zero alone waited
    /// for its reports, all others would wait for it in their next collective.
    @Test(.enabled(if: hasCompiler, "needs a C compiler"))
    func onlyCheckpointsWaitForTheDisk() throws {
        try SmallRun.with { run in
            let list = run.directory + "/synced"
            let settings = ["schedule.steps=3", "checkpoint.everySteps=1", "checkpoint.keep=1"]
            let result = try program(["train"] + run.arguments(settings), run.directory, ["SYNCED": list])
            #expect(result.status == 0, "\(result)")
            let synced = Set(try String(contentsOfFile: list, encoding: .utf8).split(separator: "\n").map(String.init))
            #expect(FileManager.default.fileExists(atPath: run.run + "/report.html"))
            #expect(synced.contains(run.run + "/checkpoints/step-00000003.partial/manifest.json"), "\(synced)")
            let others = synced.filter { !$0.hasPrefix(run.run + "/checkpoints") }
            // What the run begins with, its own name in the folder above among it.
            let names = ["", "/config.resolved.yaml.pixpro-partial", "/history.jsonl"]
            #expect(others == Set([run.directory] + names.map { run.run + $0 }), "\(others)")
        }
    }

    @Test(.enabled(if: hasCompiler, "needs a C compiler"))
    func aSystemWithoutThreadsIsNamed() throws {
        try SmallRun.with { run in
            for command in ["train", "launch"] {
                let result = try program(
                    [command] + run.arguments(["parallel.threads=2"]), run.directory, ["THREADLESS": "1"])
                #expect(result.status == 78 && !result.timedOut, "\(command): \(result)")
                #expect(result.errorOutput.contains("cannot start the thread '"), "\(command): \(result)")
                #expect(
                    result.errorOutput.contains("see `ulimit -u`"), "\(command): \(result)")
            }
        }
    }
}
