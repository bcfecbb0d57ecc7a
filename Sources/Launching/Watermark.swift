import Synchronization
import SystemPackage

/// The newest checkpoint that was ever seen while a job ran: when it has ended the directory may be out of sight.
final class Watermark: Sendable {
    private let highest: Atomic<Int>

    /// Seconds between looks.
    private static let pause = 10.0

    init(_ step: Int) { highest = Atomic(step) }

    var step: Int { highest.load(ordering: .relaxed) }

    /// Looks now and then, until the task is cancelled.
    func watch(_ directory: FilePath, _ mark: String?) async {
        while true {
            do { try await Task.sleep(for: .seconds(Self.pause)) } catch { return }
            let sight = RunSight(directory, mark: mark)
            if sight.place == .there { highest.max(sight.newestStep, ordering: .relaxed) }
        }
    }
}
