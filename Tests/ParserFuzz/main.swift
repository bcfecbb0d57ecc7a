import Checkpointing
import Glibc
import ImagePipeline
import TensorCore
import Training

// Feeds mutated inputs to every parser of outside data: `parser-fuzz MUTATIONS SEED [FOLDER]`.
//
// An input may be refused with an error, and nothing else: a crash, more than 20 seconds or more than 2 GiB of memory
// end the program with the parser, the seed and the number of the input, which repeat it. Files of FOLDER (.jpg, .png,
// .tif, .safetensors, .yaml, manifest.json, .tar, .xml, .txt) join the inputs that are mutated.

let memoryLimit = 2 << 30
let secondsPerInput: UInt32 = 20

struct FuzzError: Error, CustomStringConvertible {
    let description: String
}

let arguments = CommandLine.arguments
guard arguments.count >= 3, let mutations = Int(arguments[1]), (1...1_000_000_000).contains(mutations),
    let seed = UInt64(arguments[2])
else {
    let usage = "usage: parser-fuzz MUTATIONS SEED [FOLDER], with 1 to 1000000000 mutations\n"
    _ = usage.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    exit(64)
}
let corpus = try Corpus(folder: arguments.count > 3 ? arguments[3] : nil)
defer { corpus.removeScratch() }

CrashReport.install()
var memory = rlimit(rlim_cur: rlim_t(memoryLimit), rlim_max: rlim_t(memoryLimit))
guard setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &memory) == 0 else {
    throw FuzzError(description: "cannot limit the memory: \(String(cString: strerror(errno)))")
}

for (number, parser) in corpus.parsers.enumerated() {
    var accepted = 0, refused = 0, slowest = 0.0
    let clock = ContinuousClock(), start = clock.now
    for index in 0..<mutations {
        CrashReport.current = (number, index)
        var generator = KeyedGenerator(seed, UInt64(number), UInt64(index))
        let input = mutate(parser.samples, &generator)
        alarm(secondsPerInput)
        let began = clock.now
        do {
            try parser.read(input)
            accepted += 1
        } catch {
            // Being refused is fine, if it says something.
            precondition(!"\(error)".isEmpty, "an error without words")
            refused += 1
        }
        slowest = max(slowest, seconds(clock.now - began))
    }
    alarm(0)
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    print(
        "\(parser.name): \(mutations) mutated inputs, \(accepted) read, \(refused) refused, slowest \(Int(slowest * 1000)) ms, "
            + "\(Int(seconds(clock.now - start))) s in all, peak memory \(usage.ru_maxrss / 1024) MiB")
}

func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}

/// A sample with one to eight changes: bits, bytes, lengths, pieces of itself and of others.
func mutate(_ samples: [[UInt8]], _ generator: inout KeyedGenerator) -> [UInt8] {
    var bytes = samples[generator.integer(below: samples.count)]
    for _ in 0...generator.integer(below: 8) {
        guard !bytes.isEmpty else { return bytes }
        let place = generator.integer(below: bytes.count)
        let end = min(place + 1 + generator.integer(below: 16), bytes.count)
        switch generator.integer(below: 9) {
        case 0: bytes[place] ^= 1 << UInt8(generator.integer(below: 8))
        case 1: bytes[place] = UInt8(generator.integer(below: 256))
        case 2: bytes[place] = [0, 0x7F, 0x80, 0xFF][generator.integer(below: 4)]
        case 3: bytes.removeSubrange(place..<end)
        case 4: bytes.insert(contentsOf: (place..<end).map { _ in UInt8(generator.integer(below: 256)) }, at: place)
        case 5: bytes.insert(contentsOf: Array(bytes[place..<end]), at: generator.integer(below: bytes.count))
        case 6:
            for index in place..<end {
                bytes[index] = [0, 0xFF, UInt8(ascii: "9"), UInt8(ascii: "\"")][generator.integer(below: 4)]
            }
        case 7:
            let other = samples[generator.integer(below: samples.count)]
            guard !other.isEmpty else { continue }
            let from = generator.integer(below: other.count)
            bytes.replaceSubrange(place..<end, with: other[from..<min(from + 64, other.count)])
        default: if generator.integer(below: 8) == 0 { bytes.removeSubrange(place...) }
        }
    }
    return bytes
}
