import Foundation
import PixelLearning
import SystemPackage
import TensorCore
import TestSupport
import Training

/// What README.md tells people to type.
enum Readme {
    /// A line of a shell block, continued ones joined.
    struct Command: Sendable, CustomStringConvertible {
        let line: Int
        let text: String

        var description: String { "README.md:\(line): \(text)" }
    }

    static let text = try! String(contentsOfFile: SmallRun.project + "/README.md", encoding: .utf8)

    /// Of all blocks that begin with ```sh.
    static var commands: [Command] {
        var commands: [Command] = [], isInside = false, begun: (line: Int, text: String)?
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("```") {
                isInside = line == "```sh"
            } else if isInside {
                let whole = (begun?.text ?? "") + line
                begun = (begun?.line ?? number + 1, String(whole))
                if whole.hasSuffix("\\") {
                    begun!.text.removeLast()
                } else {
                    if !whole.allSatisfy(\.isWhitespace) {
                        commands.append(Command(line: begun!.line, text: begun!.text))
                    }
                    begun = nil
                }
            }
        }
        return commands
    }

    /// Texts between single backticks, outside of blocks.
    static var spans: [String] {
        let prose = text.replacing(#/```[^`]*```/#, with: "")
        return prose.matches(of: #/`([^`\n]+(?:\n[^`\n]+)?)`/#).map { String($0.1).replacing("\n", with: " ") }
    }
}

/// A folder in which the commands of the README can be typed: what they read is there, and what would install, build, train
/// for hours or reach other hosts is replaced by what checks its words.
struct ReadmeStage {
    let folder: String
    var project: String { folder + "/project" }
    private let program: String

    /// - Parameter run: a trained one, for whatever run the README names.
    init(_ folder: String, run: SmallRun) throws {
        self.folder = folder
        program = try MPILauncher.product("pixpro")
        let files = FileManager.default, data = SmallRun.data, own = SmallRun.project
        for path in [
            "bin", "home", "project/launch", "project/cluster", "project/runs", "project/.build/release",
            "project/data/camvid", "project/data/imagenet-like", "project/data/imagenet-1000x1",
        ] {
            try files.createDirectory(atPath: "\(folder)/\(path)", withIntermediateDirectories: true)
        }
        for (name, target) in [
            ("home/street", data + "/images/train"), ("home/photos", data + "/images/train"),
            ("home/new-photos", data + "/images/val"), ("project/birds", data + "/images"),
            ("project/configs", own + "/configs"), ("project/data/images", data + "/images"),
            ("project/data/segmentation", data + "/segmentation"),
            ("project/data/camvid/train", data + "/segmentation/train"),
            ("project/data/camvid/test", data + "/segmentation/val"),
            ("project/data/imagenet-like/train", data + "/images/train"),
            ("project/data/imagenet-1000x1/train", data + "/images/train"),
            ("project/reference.safetensors", own + "/Tests/References/Fixtures/pixpro-official.safetensors"),
        ] { try files.createSymbolicLink(atPath: "\(folder)/\(name)", withDestinationPath: target) }
        for name in ["street", "segmenter", "detector", "inpainter"] {
            try files.createSymbolicLink(atPath: "\(project)/runs/\(name)", withDestinationPath: run.run)
        }
        try "localhost slots=2\n".write(toFile: project + "/hosts", atomically: true, encoding: .utf8)
        try replaceScripts()
        try replacePrograms()
        try measureNode()
    }

    /// As if the published recipe's step had been measured.
    private func measureNode() throws {
        let configuration = try RunConfiguration.load(
            file: FilePath(project + "/configs/pixpro-resnet50-100ep.yaml"), tasks: [PretrainingSettings.self]
        ).configuration
        let timeline = StepTimeline(
            microBatch: [
                .init(seconds: 0.1, message: .awaited(4096)), .init(seconds: 0.2, message: .gradients(1 << 27)),
            ],
            update: [.init(seconds: 0.01, message: .none)])
        try NodeMeasurement(
            task: "resnet50", configuration, precision: .bfloat16, cores: 28, threads: 28, images: 8, fewerImages: 4,
            steps: .init(timeline: timeline, delays: .none, fewerImagesSeconds: 0.2, deviation: 0),
            links: .init(sumBytesPerSecond: 1e10)
        ).write(to: FilePath(project + "/node.json"))
    }

    /// Those that start jobs plan them; of the others their own syntax is checked.
    private func replaceScripts() throws {
        let own = SmallRun.project
        for folder in ["launch", "cluster"] {
            for name in try FileManager.default.contentsOfDirectory(atPath: "\(own)/\(folder)") {
                let path = "\(own)/\(folder)/\(name)", place = "project/\(folder)/\(name)"
                switch name {
                case "train", "study": try script(place, "exec \(path) --program \(program) --dry-run \"$@\"")
                case "environment": try FileManager.default.copyItem(atPath: path, toPath: "\(self.folder)/\(place)")
                default: try script(place, "test -x \(path) && exec bash -n \(path)")
                }
            }
        }
    }

    private func replacePrograms() throws {
        let bench = try MPILauncher.product("pixpro-bench")
        // Trains nothing, but reads configuration and words as training does. Those of another task's run are read only.
        try script(
            "project/.build/release/pixpro",
            """
            knows() {
                help=$("$@" --help) || exit 64
                for word in "${words[@]}"; do
                    [[ $word != --* ]] || grep -q -e "$word[ =>,]" <<<"$help" || { echo "no option $word" >&2; exit 64; }
                done
            }
            case "$1 $2" in
            "train --keys") exec \(program) "$@" ;;
            "train "*) exec \(program) launch --program \(program) --dry-run -- "${@:2}" ;;
            "predict runs/inpainter") words=("${@:2}"); knows \(program) predict ;;
            *) exec \(program) "$@" ;;
            esac
            """)
        try script(
            "project/.build/release/pixpro-bench",
            """
            help=$(\(bench) "$1" --help) || exit 64
            for word in "${@:2}"; do
                [[ $word != --* ]] || grep -q -e "$word " <<<"$help" || { echo "no option $word" >&2; exit 64; }
            done
            """)
        try script(
            "bin/mpirun",
            """
            [[ $1 != --version ]] || { PATH=${PATH#*:}; exec mpirun --version; }
            while [[ $1 == -* ]]; do
                case $1 in
                -n | --bind-to | --hostfile) shift 2 ;;
                *) echo "the tests know no option $1 of mpirun" >&2; exit 64 ;;
                esac
            done
            exec "$@"
            """)
        try script("bin/srun", "while [[ $1 == --* ]]; do shift; done; exec \"$@\"")
        try script(
            "bin/apptainer",
            """
            case $1 in
            build) test -f $3 ;;
            exec)
                shift
                [[ $1 != --bind ]] || shift 2
                exec "${@:2}"
                ;;
            *) exit 64 ;;
            esac
            """)
        try script(
            "bin/swift",
            """
            [[ "$1 $2 $3" == "build -c release" && "$4" == --product ]] &&
                grep -q "executable(name: \\"$5\\"" \(SmallRun.project)/Package.swift
            """)
    }

    private func script(_ name: String, _ text: String) throws {
        let path = "\(folder)/\(name)"
        try ("#!/bin/bash\n" + text + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    /// As a person types it in the project's folder.
    func type(_ command: String) throws -> ProcessResult {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return try runProcess(
            "/bin/bash", ["-c", command],
            environment: MPILauncher.environment.merging([
                "HOME": folder + "/home", "PATH": "\(folder)/bin:\(project)/.build/release:\(path)",
            ]) { $1 }, directory: project, timeLimit: 120)
    }
}
