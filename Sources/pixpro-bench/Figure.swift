import ArgumentParser
import Foundation
import Training

/// One line of output: what was timed, with what settings, and what came out, each number with its unit.
struct Figure {
    let name: String
    /// In the order in which they are printed.
    var settings: KeyValuePairs<String, Setting> = [:]
    /// Keyed by unit, the most telling first: `["images/s": 12.5]`.
    let values: KeyValuePairs<String, Double>

    enum Setting: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
        case number(Int)
        case text(String)
        init(integerLiteral value: Int) { self = .number(value) }
        init(stringLiteral value: String) { self = .text(value) }
    }

    /// `step architecture resnet18 batch 16: 12.500 images/s, 1.280 s/step`
    var line: String {
        let what = settings.map { key, value in
            switch value {
            case .number(let number): " \(key) \(number)"
            case .text(let text): " \(key) \(text)"
            }
        }.joined()
        return name + what + ": " + values.map { "\(Self.rounded($1)) \($0)" }.joined(separator: ", ")
    }

    /// `{"name":"step","architecture":"resnet18","batch":16,"images/s":12.5,"s/step":1.28}`
    var json: String {
        var fields = ["\"name\":\(Self.quoted(name))"]
        for (key, value) in settings {
            switch value {
            case .number(let number): fields.append("\(Self.quoted(key)):\(number)")
            case .text(let text): fields.append("\(Self.quoted(key)):\(Self.quoted(text))")
            }
        }
        // JSON has no infinities.
        fields += values.map { "\(Self.quoted($0)):\($1.isFinite ? "\($1)" : "null")" }
        return "{" + fields.joined(separator: ",") + "}"
    }

    /// Four significant digits, and every digit before the point.
    private static func rounded(_ value: Double) -> String {
        let digits = value == 0 || !value.isFinite ? 0 : max(0, 3 - Int(log10(abs(value)).rounded(.down)))
        return String(format: "%.\(digits)f", value)
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

/// How figures are printed; common to all subcommands.
struct OutputOptions: ParsableArguments {
    @Flag(help: "One JSON object for each figure.") var json = false

    func print(_ figure: Figure) {
        Swift.print(json ? figure.json : figure.line)
        // So that a line can be read as soon as it is known.
        fflush(nil)
    }

    func print(_ table: TrafficTable) {
        guard json else { return Swift.print(table.text) }
        for figure in table.figures { print(figure) }
    }
}

// The ranges of counts that several benchmarks take.
let repetitionCount = wholeNumber(in: 1...10_000)
let viewSide = wholeNumber(in: 32...2048)
let batchSize = wholeNumber(in: 1...4096)
let threadCount = wholeNumber(in: 1...1024)

/// The middle of a list of times.
func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? .nan : (sorted[sorted.count / 2] + sorted[(sorted.count - 1) / 2]) / 2
}

func seconds(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    let duration = try clock.measure(body)
    return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}

/// Processor seconds of this process so far, all threads: unlike the clock's, they do not grow when others use the cores.
func processorSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// The most memory that this process has had resident.
func peakResidentBytes() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
}
