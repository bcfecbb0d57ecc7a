import TestSupport
import Testing

/// Counts on command lines that nothing could be done with: an error at once that names the option and its range.
@Suite struct CountTests {
    @Test(arguments: [
        ("pixpro", ["plan", "--ranks"]), ("pixpro", ["verify", "--reference", "nowhere", "--threads"]),
        ("pixpro", ["data", "pack", "nowhere", "--output", "nowhere", "--shard-size"]),
        ("pixpro", ["data", "synthesize", "nowhere", "--classes"]),
        ("pixpro", ["data", "synthesize", "nowhere", "--size"]),
        ("pixpro-bench", ["step", "--batch"]), ("pixpro-bench", ["step", "--steps"]),
        ("pixpro-bench", ["step", "--image-size"]), ("pixpro-bench", ["step", "--threads"]),
        ("pixpro-bench", ["kernels", "--repetitions"]), ("pixpro-bench", ["kernels", "--batch"]),
        ("pixpro-bench", ["kernels", "--image-size"]), ("pixpro-bench", ["kernels", "--threads"]),
        ("pixpro-bench", ["loader", "nowhere", "--limit"]), ("pixpro-bench", ["loader", "nowhere", "--repetitions"]),
        ("pixpro-bench", ["loader", "nowhere", "--image-size"]), ("pixpro-bench", ["allreduce", "--repetitions"]),
        ("pixpro-bench", ["start", "--config", "nowhere", "--ranks"]),
        ("pixpro-bench", ["start", "--config", "nowhere", "--repetitions"]),
    ])
    func zeroLessAndFarTooManyAreRefused(_ program: String, _ arguments: [String]) throws {
        for value in ["0", "-1", "9223372036854775807", "99999999999999999999"] {
            try expectRefusal(program, arguments, value)
        }
    }

    @Test(arguments: [
        ["data", "synthesize", "nowhere", "--train-per-class"],
        ["data", "synthesize", "nowhere", "--validation-per-class"],
        ["data", "synthesize", "nowhere", "--segmentation-train"],
        ["data", "synthesize", "nowhere", "--segmentation-validation"],
        ["export", "nowhere", "--output", "x", "--step"],
        ["evaluate", "nowhere", "--step"],
    ])
    func lessThanZeroAndFarTooManyAreRefused(_ arguments: [String]) throws {
        for value in ["-1", "9223372036854775807"] { try expectRefusal("pixpro", arguments, value) }
    }

    private func expectRefusal(_ program: String, _ arguments: [String], _ value: String) throws {
        let result = try runProcess(
            try MPILauncher.product(program), arguments.dropLast() + [arguments.last! + "=" + value], timeLimit: 10)
        #expect(result.status == 64, "\(value): \(result)")
        #expect(
            result.errorOutput.contains(arguments.last!) && result.errorOutput.contains("a whole number from "),
            "\(value): \(result)")
    }

    @Test func theFuzzerNeedsMutations() throws {
        for count in ["0", "-1", "9223372036854775807"] {
            let result = try runProcess(try MPILauncher.product("parser-fuzz"), [count, "1"], timeLimit: 10)
            #expect(result.status != 0 && result.errorOutput.contains("usage: parser-fuzz"), "\(result)")
        }
    }

    @Test func settingsAreBoundedToo() throws {
        for (setting, range) in [
            ("data.imageSize=300000", "from 32 to 2048"), ("batch.global=9223372036854775807", "from 1 to 1048576"),
            ("schedule.epochs=9223372036854775807", "from 1 to 1000000"), ("data.workers=30000", "from 0 to 256"),
        ] {
            let result = try runProcess(
                try MPILauncher.product("pixpro"), ["plan", "--ranks", "2", "--set", setting], timeLimit: 10)
            #expect(result.status == 1 && result.errorOutput.contains(range), "\(result)")
        }
    }
}
