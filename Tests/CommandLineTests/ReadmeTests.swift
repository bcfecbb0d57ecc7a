import Foundation
import TestSupport
import Testing

/// What the README says can be typed, and what it names exists.
@Suite(.serialized) struct ReadmeTests {
    @Test(arguments: Readme.commands) func aCommandIsUnderstood(_ command: Readme.Command) throws {
        // Only some look at a run that is there.
        let looks = ["predict", "evaluate", "export"].contains { command.text.contains("pixpro \($0) ") }
        try (looks ? SmallRun.withTrained : SmallRun.with) { run in
            let stage = try ReadmeStage(run.directory + "/stage", run: run)
            let result = try stage.type(command.text)
            #expect(result.status == 0, "\(command)\n\(result)")
        }
    }

    @Test func allCommandsAreFound() {
        let commands = Readme.commands.map(\.text)
        #expect(commands.count >= 25)
        #expect(
            commands.contains { $0.hasPrefix("launch/train ") && $0.hasSuffix("/imagenet/train") }, "continued lines")
    }

    /// Between two words of prose: subcommands and options.
    @Test func commandsInProseHaveTheOptionsThatTheyName() throws {
        let program = try MPILauncher.product("pixpro")
        let spans = Readme.spans.filter { $0.hasPrefix("pixpro ") }
        #expect(spans.count >= 8)
        for span in Set(spans) {
            let words = span.split(separator: " ").map(String.init)
            let names = words.dropFirst().prefix { $0.wholeMatch(of: /[a-z]+/) != nil }.prefix(2)
            // `checkpoint list runs/street` has two, `report RUN` one.
            let known = try runProcess(program, ["help"] + names, timeLimit: 20)
            let help = known.status == 0 ? known : try runProcess(program, ["help", names[1]], timeLimit: 20)
            #expect(help.status == 0 && help.output.contains("pixpro \(names[1])"), "\(span): \(help)")
            for option in words where option.hasPrefix("--") {
                #expect(help.output.contains(option), "\(span): no option \(option)")
            }
        }
    }

    @Test func keysInProseExist() throws {
        let program = try MPILauncher.product("pixpro")
        var known: Set<String> = []
        for task in ["pretraining", "segmentation", "detection", "inpainting"] {
            let keys = try runProcess(program, ["train", "--keys", "--set", "task=\(task)"], timeLimit: 20)
            for match in keys.output.matches(of: #/(?m)^ *([a-z][A-Za-z0-9.]*): /#) { known.insert(String(match.1)) }
        }
        let roots = Set(known.compactMap { $0.split(separator: ".").first.map(String.init) })
        // `loss.pixel` is a metric, `run.directory` a key: sections that metrics share are left out.
        let shared: Set = ["loss", "critics"]
        let keys = Readme.spans.compactMap { span -> String? in
            guard let match = span.wholeMatch(of: #/([a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)+)(: .+)?/#) else {
                return nil
            }
            let root = String(match.1.prefix { $0 != "." })
            return roots.contains(root) && !shared.contains(root) && match.1 != "log.txt" ? String(match.1) : nil
        }
        #expect(keys.count >= 40)
        for key in Set(keys) { #expect(known.contains(key), "README.md names a key \(key)") }
    }

    @Test func filesThatAreNamedExist() {
        let files = Readme.text.matches(of: #/(configs|launch|cluster|Tests|Sources)/[-A-Za-z0-9_./+]*[A-Za-z0-9]/#)
        #expect(files.count >= 30)
        for file in Set(files.map { String($0.0) }) {
            #expect(FileManager.default.fileExists(atPath: "\(SmallRun.project)/\(file)"), "README.md names \(file)")
        }
    }
}
