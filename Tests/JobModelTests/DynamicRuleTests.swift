import JobModel
import StrictJSON
import Testing

/// `quantization.dynamic` of a request.
@Suite struct DynamicRuleTests {
  private static func request(_ dynamic: JSONValue) throws -> QuantizationRequest {
    try JobRequest(
      parsing: ["model": "m", "calibration": ["dataset": "d"], "quantization": .object(["dynamic": dynamic])]
    ).quantization
  }

  private static let rules = [
    DynamicRule(pattern: "+:.*\\.z_proj", bits: 8, groupSize: 64, sym: false, descAct: true, mse: false, dampPercent: 0.1),
    DynamicRule(pattern: "-:.*lm_head.*"), DynamicRule(pattern: ".*a_proj", groupSize: -1),
  ]

  @Test("GPTQModel's object keeps its order")
  func readsObjects() throws {
    let text = #"""
      {"+:.*\\.z_proj": {"bits": 8, "group_size": 64, "sym": false, "desc_act": true, "mse": false, "damp_percent": 0.1},
       "-:.*lm_head.*": {}, ".*a_proj": {"group_size": -1, "bits": null}}
      """#
    #expect(try Self.request(JSONValue(parsing: Array(text.utf8))).dynamic == Self.rules)
    #expect(try Self.request(.null).dynamic == [])
    #expect(try Self.request([:]).dynamic == [])
  }

  @Test("What is stored and shown is a list, which can be submitted again")
  func readsLists() throws {
    let request = JobRequest(
      model: "m", quantization: QuantizationRequest(dynamic: Self.rules), calibration: CalibrationRequest(dataset: "d"))
    let json = try JSONValue(parsing: Array(APICoding.encode(request)))
    #expect(json["quantization"]?["dynamic"]?.arrayValue?.map { $0["pattern"]?.stringValue } == Self.rules.map(\.pattern))
    #expect(try JobRequest(parsing: json) == request)
  }

  @Test("Prefixes aren't part of the expression")
  func splitsPatterns() {
    #expect(Self.rules.map(\.expression) == [".*\\.z_proj", ".*lm_head.*", ".*a_proj"])
    #expect(Self.rules.map(\.leavesAlone) == [false, true, false])
  }

  struct Hostile: Sendable, CustomTestStringConvertible {
    let json: JSONValue
    let pointer: String
    let message: String
    var testDescription: String { String(json.serialized().prefix(80)) }

    init(_ json: JSONValue, at pointer: String, _ message: String) {
      (self.json, self.pointer, self.message) = (json, "/quantization/dynamic" + pointer, message)
    }
  }

  private static let many = JSONValue.array((0..<300).map { ["pattern": .string("+:\($0)")] })
  private static let longPattern = "+:" + String(repeating: "a", count: 511)

  @Test(
    "What is wrong is named by its pointer",
    arguments: [
      Hostile("+:.*", at: "", "must be an object from patterns to options"),
      Hostile(5, at: "", "is an integer"),
      Hostile(many, at: "", "at most 256 rules, has 300"),
      Hostile(["+:a/b": 8], at: "/+:a~1b", "must be an object of options, {} for none; is an integer"),
      Hostile(["+:a": .null], at: "/+:a", "is null"),
      Hostile(["": [:]], at: "/", "must have a pattern of 1 to 512 characters"),
      Hostile(["+:": [:]], at: "/+:", "must have a pattern of 1 to 512 characters"),
      Hostile(["-:": [:]], at: "/-:", "must have a pattern of 1 to 512 characters"),
      Hostile([["pattern": .string(longPattern)]], at: "/0", "512 characters"),
      Hostile(["+:a": ["bits": 5]], at: "/+:a/bits", "must be 2, 3, 4 or 8, is 5"),
      Hostile(["+:a": ["bits": "8"]], at: "/+:a/bits", "must be an integer"),
      Hostile(["+:a": ["group_size": 0]], at: "/+:a/group_size", "is 0"),
      Hostile(["+:a": ["damp_percent": 2]], at: "/+:a/damp_percent", "from 0.0 to 1.0"),
      Hostile(["+:a": ["mse": 2.4]], at: "/+:a/mse", "must be true or false"),
      Hostile(["+:a": ["format": "gptq"]], at: "/+:a/format", "is not a known field"),
      Hostile(["+:a": ["pattern": "+:b"]], at: "/+:a/pattern", "is not a known field"),
      Hostile(["-:a": ["bits": 8]], at: "/-:a", "has options"),
      Hostile([["bits": 8]], at: "/0", "has no pattern"),
      Hostile([["pattern": 1]], at: "/0", "has no pattern"),
      Hostile([["pattern": "+:a"], "+:b"], at: "/1", "must be an object of options"),
      Hostile([["pattern": "+:a"], ["pattern": "+:a", "bits": 8]], at: "/1", "has the pattern of a rule before it"),
    ])
  func refuses(_ hostile: Hostile) throws {
    let problem = try #require(throws: Problem.self) { try Self.request(hostile.json) }
    #expect(problem.errors?.map(\.pointer) == [hostile.pointer])
    #expect(problem.detail.contains(hostile.message), "\(problem.detail)")
  }

  @Test("Layer jobs take rules, but have no output head")
  func refusesHeadOfLayers() throws {
    let problem = try #require(throws: Problem.self) {
      try JobRequest(parsing: ["model": "m", "kind": "layers", "quantization": ["lm_head": true, "dynamic": ["-:a": [:]]]])
    }
    #expect(problem.errors?.map(\.pointer) == ["/quantization/lm_head"])
  }
}
