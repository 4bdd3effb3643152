import Foundation
import StrictJSON
import Testing

/// The document as a daemon serves it.
struct APIDocument {
  let json: JSONValue
  let operations: [Operation]

  struct Operation {
    let method: String
    let path: String
    let json: JSONValue

    var name: String { "\(method) \(path)" }

    /// The parameters in a place: "query", "path" or "header".
    func parameters(in place: String) -> [JSONValue] { (json["parameters"]?.arrayValue ?? []).filter { $0["in"]?.stringValue == place } }

    /// The operation of a request; segments in braces stand for any text, `{path}` at the end for the rest.
    func matches(_ method: String, _ path: String) -> Bool {
      let pattern = self.path.split(separator: "/")
      var segments = path.split(separator: "/")
      if pattern.last == "{path}", segments.count > pattern.count { segments.removeLast(segments.count - pattern.count) }
      return method == self.method && pattern.count == segments.count && zip(pattern, segments).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
    }
  }

  init(_ server: TestServer) async throws {
    let answer = try await server.send("GET", "/openapi.json")
    try #require(answer.status == 200)
    json = try JSONValue(parsing: Array(answer.body))
    operations = try #require(json["paths"]?.objectValue).members.flatMap { path, item in
      (item.objectValue ?? [:]).members.map { Operation(method: $0.key.uppercased(), path: path, json: $0.value) }
    }
  }

  var judge: SchemaJudge { SchemaJudge(document: json) }

  func schema(_ name: String) throws -> JSONValue { try #require(json["components"]?["schemas"]?[name], "no schema \(name)") }

  /// The value, or what it refers to.
  func resolved(_ value: JSONValue?) -> JSONValue? { value?["$ref"]?.stringValue.map { judge.resolve($0) } ?? value }
}
