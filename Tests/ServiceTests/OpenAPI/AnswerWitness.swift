import Foundation
import StrictJSON
import Synchronization
import Testing

/// Sends requests and compares each answer with what the document says of its operation.
final class AnswerWitness: Sendable {
  let server: TestServer
  private let document: APIDocument
  private let seen = Mutex<Set<String>>([])

  init(_ server: TestServer) async throws {
    self.server = server
    document = try await APIDocument(server)
  }

  /// Answers that aren't errors and that nobody got.
  var unseen: [String] {
    let seen = seen.withLock { $0 }
    return document.operations.flatMap { operation in
      (operation.json["responses"]?.objectValue?.keys ?? []).filter { $0 < "400" }.map { "\(operation.name) \($0)" }
    }.filter { !seen.contains($0) }
  }

  @discardableResult
  func send(
    _ method: String, _ path: String, _ headers: [String: String] = [:], body: String? = nil, expecting status: Int? = nil,
    _ location: SourceLocation = #_sourceLocation
  ) async throws -> RawAnswer {
    let answer = try await server.send(method, path, headers, body: body.map { Data($0.utf8) })
    if let status { #expect(answer.status == status, "\(method) \(path)", sourceLocation: location) }
    let resource = String(path.prefix { $0 != "?" })
    let operation = try #require(
      document.operations.first { $0.matches(method, resource) }, "\(method) \(path) is not in the document", sourceLocation: location)
    let name = "\(operation.name) \(answer.status)"
    seen.withLock { _ = $0.insert(name) }
    let described = try #require(
      document.resolved(operation.json["responses"]?["\(answer.status)"]), "\(name) is not in the document", sourceLocation: location)
    #expect(try complaints(answer, described, isHead: method == "HEAD") == [], "\(name)", sourceLocation: location)
    return answer
  }

  /// With the `ETag` of a first answer, which gets 304.
  func sendAgain(_ path: String, method: String = "GET", _ location: SourceLocation = #_sourceLocation) async throws {
    let tag = try #require(try await server.send("GET", path).headers["etag"], sourceLocation: location)
    try await send(method, path, ["If-None-Match": tag], expecting: 304, location)
  }

  private func complaints(_ answer: RawAnswer, _ described: JSONValue, isHead: Bool) throws -> [String] {
    var complaints: [String] = []
    for (name, header) in (described["headers"]?.objectValue ?? [:]).members {
      guard let value = answer.headers[name.lowercased()] else {
        if header["required"] == true { complaints.append("\(name) is missing") }
        continue
      }
      guard let schema = header["schema"] else { continue }
      let json = schema["type"] == "integer" ? Int64(value).map(JSONValue.integer) ?? .string(value) : .string(value)
      complaints += document.judge.complaints(json, schema, at: name)
    }
    guard let content = described["content"]?.objectValue else {
      return complaints + (answer.body.isEmpty ? [] : ["there is a body"])
    }
    let type = String(answer.headers["content-type"]?.prefix { $0 != ";" } ?? "")
    guard let media = content[type] else { return complaints + ["\(type) is not among \(content.keys)"] }
    guard !isHead, type.hasSuffix("json"), let schema = media["schema"], schema.objectValue?.isEmpty == false else { return complaints }
    return complaints + document.judge.complaints(try JSONValue(parsing: Array(answer.body)), schema)
  }
}
