import Foundation
import JobModel
import Service
import StrictJSON
import Testing

@Suite struct OpenAPIRoutesTests {
  @Test func theDocumentIsServedWithAnETagAndWithoutAToken() async throws {
    let token = try AccessToken.make(name: "reader", scope: .read).token
    try await TestServer.run(["GPTQD_AUTH_TOKENS": token.configurationLine]) { server in
      let answer = try await server.send("GET", "/openapi.json")
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"] == "application/json")
      let tag = try #require(answer.headers["etag"])
      #expect(tag == "\"\(FakeEngine.sha256(answer.body))\"")
      let same = try await server.send("GET", "/openapi.json", ["If-None-Match": tag])
      #expect(same.status == 304 && same.body.isEmpty && same.headers["etag"] == tag)
      #expect(try await server.send("GET", "/openapi.json", ["If-None-Match": "\"x\""]).status == 200)
      #expect(try JSONValue(parsing: Array(answer.body))["info"]?["version"]?.stringValue == Daemon.version)
    }
  }

  @Test func itHasEveryRouteWithItsParametersAndNoOther() async throws {
    try await TestServer.run { server in
      let document = try await APIDocument(server)
      let described = document.operations.map { operation in
        "\(operation.method) \(operation.path.replacing("{", with: ":").replacing("}", with: ""))"
      }
      // Each GET has its HEAD.
      let heads = server.endpoints.filter { $0.hasPrefix("GET ") }.map { "HEAD " + $0.dropFirst(4) }
      let endpoints = server.endpoints.map { $0.replacing("**", with: ":path") }
      #expect(Set(described).subtracting(heads.map { $0.replacing("**", with: ":path") }) == Set(endpoints))
      for (operation, endpoint) in zip(document.operations, described) {
        let inPath = Set(endpoint.split(separator: "/").filter { $0.hasPrefix(":") }.map { String($0.dropFirst()) })
        #expect(Set(operation.parameters(in: "path").compactMap { $0["name"]?.stringValue }) == inPath, "\(endpoint)")
        guard let names = server.queryParameters[endpoint.replacing(/files\/:path$/, with: "files/**")] ?? nil else { continue }
        #expect(Set(operation.parameters(in: "query").compactMap { $0["name"]?.stringValue }) == names, "\(endpoint)")
      }
    }
  }

  @Test func whatItSaysIsOpenIsOpen() async throws {
    let token = try AccessToken.make(name: "reader", scope: .read).token
    try await TestServer.run(["GPTQD_AUTH_TOKENS": token.configurationLine, "GPTQD_AUTH_FAILURES_PER_MINUTE": "1000"]) { server in
      let document = try await APIDocument(server)
      for operation in document.operations {
        let path = operation.path.replacing("{", with: "").replacing("}", with: "")
        let isOpen = operation.json["security"]?.arrayValue?.isEmpty == true
        #expect((try await server.send(operation.method, path).status != 401) == isOpen, "\(operation.name)")
        #expect((operation.json["responses"]?["401"] != nil) == !isOpen, "\(operation.name)")
      }
    }
  }

  @Test func namesAreUniqueAndReferencesLeadSomewhere() async throws {
    try await TestServer.run { server in
      let document = try await APIDocument(server)
      let ids = document.operations.compactMap { $0.json["operationId"]?.stringValue }
      #expect(Set(ids).count == document.operations.count)
      func visit(_ value: JSONValue) {
        if let reference = value["$ref"]?.stringValue { #expect(document.judge.resolve(reference) != nil, "\(reference)") }
        for (name, member) in (value.objectValue ?? [:]).members {
          if name == "operationId", let id = member.stringValue { #expect(ids.contains(id)) }
          visit(member)
        }
        for element in value.arrayValue ?? [] { visit(element) }
      }
      visit(document.json)
    }
  }

  /// At, just within and just beyond the limits that it has for each integer of a query, and with each word and other ones.
  @Test func queryParametersAreTakenAsItSays() async throws {
    try await TestServer.run { server in
      let document = try await APIDocument(server)
      let id = try await server.succeededJob().id
      for operation in document.operations where operation.method == "GET" && operation.path.hasPrefix("/v1/") {
        let path = operation.path.replacing("{id}", with: id.text).replacing("{name}", with: FakeEngine.layers[0].name)
        for parameter in operation.parameters(in: "query") {
          let (name, schema) = (try #require(parameter["name"]?.stringValue), try #require(parameter["schema"]))
          for value in Self.values(near: schema) {
            let json = Int64(value).map(JSONValue.integer) ?? Double(value).map(JSONValue.number) ?? .string(value)
            let isValid = document.judge.accepts(schema["type"] == "string" ? .string(value) : json, schema)
            // `wait` may hold the answer only for jobs that haven't ended.
            let answer = try await server.send("GET", "\(path)?\(name)=\(value)")
            #expect((answer.status == 200) == isValid, "\(path)?\(name)=\(value): \(answer.status)")
            #expect(answer.status == 200 || answer.status == 400)
          }
        }
      }
    }
  }

  private static func values(near schema: JSONValue) -> [String] {
    let (least, most) = (schema["minimum"]?.intValue ?? 0, schema["maximum"]?.intValue)
    let words = schema["enum"]?.arrayValue?.compactMap(\.stringValue) ?? []
    var values = ["\(least - 1)", "\(least)", "\(least + 1)", "1.5", "x", ""] + words + words.map { $0.uppercased() }
    if let most { values += ["\(most - 1)", "\(most)", most == .max ? "9223372036854775808" : "\(most + 1)"] }
    return values + [JobID().text, JobID().text.lowercased()]
  }
}
