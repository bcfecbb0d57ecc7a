/// Failures that must not end training, such as a report that a full disk does not take: each cause is said once.
package final class ToleratedFailures {
    private let warn: (String) -> Void
    private var said: Set<String> = []

    package init(warn: @escaping (String) -> Void) { self.warn = warn }

    package func attempt(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            let text = "\(error)"
            if said.insert(text).inserted { warn("cannot write a report: \(text)") }
        }
    }
}
