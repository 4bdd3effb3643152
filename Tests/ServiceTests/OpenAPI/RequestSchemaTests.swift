import JobModel
import StrictJSON
import Testing

/// The schemas of requests take what the parsers take, and refuse what they refuse.
@Suite struct RequestSchemaTests {
  private static let submissions: [JSONValue] = [
    ["model": "m", "calibration": ["dataset": "d"]], ["model": "m", "quantization": ["method": "rtn"]],
    ["kind": "layers", "model": "m"], ["kind": .null, "model": "m"],
  ]

  /// What a schema can't say, by the words of the parser.
  private static let unsayable = ["must be more than the element before it", "has the pattern of a rule before it"]

  /// The parser's verdict: nil where it takes the request; else what is wrong.
  private static func refusal(_ json: JSONValue, isRetry: Bool) -> [Problem.FieldError]? {
    do {
      if isRetry { _ = try RetryRequest(parsing: json) } else { _ = try JobRequest(parsing: json) }
      return nil
    } catch { return error.errors ?? [] }
  }

  private static func compare(_ json: JSONValue, _ judge: SchemaJudge, _ schema: JSONValue, isRetry: Bool) {
    let refusal = refusal(json, isRetry: isRetry)
    guard judge.accepts(json, schema) != (refusal == nil) else { return }
    let complaints = judge.complaints(json, schema)
    let isUnsayable = refusal?.allSatisfy { error in unsayable.contains { error.detail.contains($0) } } ?? false
    #expect(
      complaints.isEmpty && isUnsayable,
      "\(json.serialized().prefix(400)): parser: \(refusal?.map { "\($0.pointer) \($0.detail)" } ?? []), schema: \(complaints)")
  }

  /// Each field of the schema in turn, in each of several requests, has each of many values.
  @Test func eachFieldIsTakenAsTheParserTakesIt() async throws {
    try await TestServer.run { server in
      let document = try await APIDocument(server)
      for (name, bases) in [("JobSubmission", Self.submissions), ("JobRetry", [[:]])] {
        let schema = try document.schema(name)
        let fields = RequestSamples.fields(of: schema)
        #expect(fields.count > (name == "JobRetry" ? 8 : 25))
        for field in fields {
          for value in RequestSamples.values(for: field) {
            // Others' daemons have the same threads.
            await Task.yield()
            for base in bases { Self.compare(base.setting(field.path, value), document.judge, schema, isRetry: name == "JobRetry") }
          }
        }
        for value in RequestSamples.common { Self.compare(value, document.judge, schema, isRetry: name == "JobRetry") }
      }
    }
  }

  /// Requests of several fields, most of them valid each by itself.
  @Test func combinationsAreTakenAsTheParserTakesThem() async throws {
    try await TestServer.run { server in
      let document = try await APIDocument(server)
      let schema = try document.schema("JobSubmission")
      let fields = RequestSamples.fields(of: schema).filter { $0.path.last != "unknown" }
      var generator = SeededGenerator(state: 5)
      var accepted = 0
      for _ in 0..<1000 {
        await Task.yield()
        var json = Self.submissions.randomElement(using: &generator) ?? [:]
        for field in fields.shuffled(using: &generator).prefix(Int.random(in: 1...8, using: &generator)) {
          let values = RequestSamples.values(for: field).filter {
            document.judge.accepts($0, field.schema) || Int.random(in: 0..<20, using: &generator) == 0
          }
          guard let value = values.randomElement(using: &generator) else { continue }
          json = json.setting(field.path, value)
        }
        Self.compare(json, document.judge, schema, isRetry: false)
        if Self.refusal(json, isRetry: false) == nil { accepted += 1 }
      }
      #expect((100...900).contains(accepted), "\(accepted) of 1000 were accepted")
    }
  }

  /// The judge refuses what it is there to refuse.
  @Test(arguments: [
    ("{\"type\":\"integer\"}", "1.5"), ("{\"maximum\":9223372036854775807}", "9223372036854775808"), ("{\"enum\":[1,\"a\"]}", "\"b\""),
    ("{\"properties\":{\"a\":{\"type\":\"null\"}}}", "{\"a\":1}"), ("{\"required\":[\"a\"]}", "{}"),
    ("{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"b\":1}"), ("{\"pattern\":\"^a$\"}", "\"aa\""),
    ("{\"not\":{\"const\":0}}", "0.0"), ("{\"uniqueItems\":true}", "[1,1.0]"), ("{\"oneOf\":[{},{\"type\":\"null\"}]}", "null"),
    ("{\"if\":{\"const\":1},\"else\":false}", "2"), ("{\"maxLength\":1}", "\"e\u{301}\""), ("{\"strange\":1}", "1"),
  ])
  func theJudgeRefuses(schema: String, value: String) throws {
    let (schema, value) = (try JSONValue(parsing: Array(schema.utf8)), try JSONValue(parsing: Array(value.utf8)))
    #expect(!SchemaJudge(document: .null).accepts(value, schema))
  }
}
