import ArgumentParser
import Files
import SystemPackage
import Training

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a page of a run: curves, scores, pictures, where time went. Several runs are compared.",
        discussion: """
            pixpro report runs/street
            pixpro report runs/random runs/pretrained --output compared.html
            A run writes its report.html itself after every evaluation and at its end.
            """)

    @Argument(help: "The runs' directories.")
    var directories: [FilePath]

    @Option(name: .shortAndLong, help: "The file to write; report.html in the directory of one run if left out.")
    var output: FilePath?

    func validate() throws {
        guard directories.count == 1 || output != nil else {
            throw ValidationError("of several runs name the file to write: --output compared.html")
        }
    }

    func run() throws {
        let runs = try directories.map { try RunRecord(RunDirectory($0)) }
        let path = output ?? RunDirectory(directories[0]).report
        try WholeFile.write(try ReportPage(runs).html(), to: path)
        print("wrote \(path.shown)")
    }
}
