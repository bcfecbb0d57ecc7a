import Foundation
package import MessagePassing

extension Collective {
    /// This rank's contiguous part of `items`, so that gathering in rank order restores theirs.
    package func slice<Item>(of items: [Item]) -> ArraySlice<Item> {
        items[items.count * rank / size..<items.count * (rank + 1) / size]
    }

    /// Runs `body` on rank zero alone and gives its value to every rank; its error is thrown on every rank. Collective.
    func directed<Value: Codable>(_ action: String, _ body: () throws -> Value) throws -> Value {
        let encoded = try agree(on: action) { isRoot ? Array(try JSONEncoder().encode(body())) : [] }
        return try JSONDecoder().decode(Value.self, from: Data(try broadcast(encoded)))
    }

    /// Every rank's values one after another, on every rank. Collective.
    package func gathered<Value: Codable>(_ values: [Value]) throws -> [Value] {
        // A number that JSON has not, as NaN, is met by one rank.
        let encoded = try agree(on: "gathering results") { Array(try JSONEncoder().encode(values)) }
        return try allGather(encoded).flatMap { try JSONDecoder().decode([Value].self, from: Data($0)) }
    }
}
