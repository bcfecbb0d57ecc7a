import Checkpointing
import Files
import SystemPackage

/// Which weights the runs of a study began with: they are kept for days, and a training that is done anew, by this study or
/// by another that shares it, has others.
struct StudyWeights {
    private let study: Study

    init(_ study: Study) { self.study = study }

    // MARK: Of a pretraining

    /// Whether a file was exported from a pretraining as it is now. One that does not tell where it is from is of programs that
    /// did not note that; it goes before the pretraining is done anew (`forgetNameless`).
    func areOf(_ pretraining: Study.Job, _ file: FilePath) throws -> Bool {
        guard FileSystem.exists(file) else { return false }
        guard let origin = try text(of: origin(of: file)) else { return true }
        return try origin == checksum(of: study.result(of: pretraining))
    }

    func note(_ file: FilePath, areOf pretraining: Study.Job) throws {
        try WholeFile.write(checksum(of: study.result(of: pretraining)), to: origin(of: file))
    }

    /// A pretraining is about to be done: what does not tell where it is from is of an earlier one.
    func forgetNameless(of pretraining: Study.Job) throws {
        guard case .pretraining(let place) = pretraining else { return }
        for start in study.starts where start.pretraining == study.pretrainings[place] {
            guard let file = study.weights(of: start), try text(of: origin(of: file)) == nil else { continue }
            try FileSystem.remove(file)
        }
    }

    private func origin(of file: FilePath) -> FilePath { file.appending(suffix: ".origin") }

    // MARK: Of a run that begins with them

    /// Notes what a run begins with, unless with random weights.
    func noteBeginning(of job: Study.Job) throws {
        guard let file = weights(of: job) else { return }
        try WholeFile.write(checksum(of: file), to: study.beginning(of: job))
    }

    /// Throws where a run began with other weights than are there now.
    func checkBeginning(of job: Study.Job) throws {
        guard let file = weights(of: job), FileSystem.exists(file), let begun = try text(of: study.beginning(of: job))
        else { return }
        guard try begun != checksum(of: file) else { return }
        throw LaunchError(
            .configuration,
            "\(study.name(of: job)) began with other weights than \(file.shown) has now: remove "
                + "\(study.result(of: job).shown) and \(study.run(of: job).shown) to train it anew")
    }

    private func weights(of job: Study.Job) -> FilePath? {
        guard case .fineTuning(let start, _, _) = job else { return nil }
        return study.weights(of: study.starts[start])
    }

    private func checksum(of file: FilePath) throws -> String {
        let file = try InputFile(path: file)
        return try "\(CRC32C(of: file).text) \(file.size)"
    }

    /// Nil where there is no file: studies of earlier programs have none.
    private func text(of file: FilePath) throws -> String? {
        guard try FileKind(of: file) == .regular else { return nil }
        return try WholeFile.text(of: file, limit: 4096)
    }
}
