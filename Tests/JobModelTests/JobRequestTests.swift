import JobModel
import StrictJSON
import Testing

@Suite struct JobRequestTests {
  private static let valid: JSONObject = ["model": "m", "calibration": ["dataset": "d"]]

  @Test func fillsDefaults() throws {
    let request = try JobRequest(parsing: .object(Self.valid))
    #expect(request == JobRequest(model: "m", calibration: CalibrationRequest(dataset: "d")))
    #expect(request.quantization.bits == 4)
    #expect(request.quantization.actGroupAware)
    #expect(request.calibration?.samples == nil)
  }

  @Test("desc_act turns act_group_aware off unless both are asked for")
  func choosesOneOrder() throws {
    var object = Self.valid
    object["quantization"] = ["desc_act": true]
    #expect(try !JobRequest(parsing: .object(object)).quantization.actGroupAware)
  }

  @Test("rtn works without calibration, and null is as good as absent")
  func needsNoCalibrationForRounding() throws {
    let request = try JobRequest(parsing: ["model": "m", "quantization": ["method": "rtn"], "calibration": .null])
    #expect(request.calibration == nil)
  }

  @Test("A request survives being stored")
  func roundTrips() throws {
    let request = JobRequest(
      model: "m",
      quantization: QuantizationRequest(
        bits: 3, groupSize: -1, descAct: true, format: .gptqV2, lmHead: true,
        dynamic: [DynamicRule(pattern: "+:.*\\.z_A", bits: 8, dampPercent: 0.5), DynamicRule(pattern: "-:.*a")]),
      calibration: CalibrationRequest(dataset: "d", samples: 7, sequenceLength: 99, seed: 5), evaluation: EvaluationRequest(dataset: "e"),
      priority: -3)
    let data = try APICoding.encode(request)
    #expect(try APICoding.decode(JobRequest.self, from: data) == request)
    #expect(try JobRequest(parsing: JSONValue(parsing: Array(data))) == request)
  }

  @Test(
    "A model is a name, or a repository of the Hub with its revision",
    arguments: [
      (#""tiny""#, ModelReference.name("tiny")), (#"{"hub": "org/name"}"#, .hub(HubReference(hub: "org/name"))),
      (#"{"hub": "jobs/01J", "revision": "refs/pr/1", "commit": null}"#, .hub(HubReference(hub: "jobs/01J", revision: "refs/pr/1"))),
      (
        #"{"hub": "a.b/c_d-e", "revision": "v1.0", "commit": "0123456789abcdef0123456789abcdef01234567"}"#,
        .hub(HubReference(hub: "a.b/c_d-e", revision: "v1.0", commit: "0123456789abcdef0123456789abcdef01234567"))
      ),
    ])
  func readsModels(json: String, model: ModelReference) throws {
    var object = Self.valid
    object["model"] = try JSONValue(parsing: json)
    let request = try JobRequest(parsing: .object(object))
    #expect(request.model == model)
    let data = try APICoding.encode(request)
    #expect(try APICoding.decode(JobRequest.self, from: data) == request)
    #expect(try JobRequest(parsing: JSONValue(parsing: Array(data))) == request)
  }

  struct Hostile: Sendable, CustomTestStringConvertible {
    let json: JSONValue
    /// Pointers of all errors, in order.
    let pointers: [String]
    let message: String
    var testDescription: String { String(json.serialized().prefix(80)) }
  }

  private static func with(_ field: String, _ value: JSONValue) -> JSONValue {
    var object = valid
    object[field] = value
    return .object(object)
  }

  @Test(
    "Every wrong field is named by its pointer",
    arguments: [
      Hostile(json: [1, 2], pointers: [""], message: "must be an object, is an array"),
      Hostile(json: ["calibration": ["dataset": "d"]], pointers: ["/model"], message: "is missing"),
      Hostile(json: with("model", 5), pointers: ["/model"], message: "must be a string, is an integer"),
      Hostile(json: with("model", "../etc"), pointers: ["/model"], message: "not a path"),
      Hostile(json: with("model", "/etc"), pointers: ["/model"], message: "not a path"),
      Hostile(json: with("model", ".."), pointers: ["/model"], message: "not a path"),
      Hostile(json: with("model", "a/b"), pointers: ["/model"], message: "not a path"),
      Hostile(json: with("model", ""), pointers: ["/model"], message: "1 to 96"),
      Hostile(json: with("model", .string(String(repeating: "a", count: 97))), pointers: ["/model"], message: "1 to 96"),
      Hostile(json: with("model", "a\u{0}b"), pointers: ["/model"], message: "not a path"),
      Hostile(json: with("model", [:]), pointers: ["/model/hub"], message: "is missing"),
      Hostile(json: with("model", ["hub": 5]), pointers: ["/model/hub"], message: "must be a string"),
      Hostile(json: with("model", ["hub": "name"]), pointers: ["/model/hub"], message: "a repository as \"org/name\""),
      Hostile(json: with("model", ["hub": "a/b/c"]), pointers: ["/model/hub"], message: "org/name"),
      Hostile(json: with("model", ["hub": "../b"]), pointers: ["/model/hub"], message: "org/name"),
      Hostile(json: with("model", ["hub": "a/"]), pointers: ["/model/hub"], message: "org/name"),
      Hostile(json: with("model", ["hub": "a/b?x"]), pointers: ["/model/hub"], message: "org/name"),
      Hostile(json: with("model", ["hub": "a/b\r\nX: y"]), pointers: ["/model/hub"], message: "org/name"),
      Hostile(json: with("model", ["hub": "a/b", "revision": ""]), pointers: ["/model/revision"], message: "a branch, tag or commit"),
      Hostile(json: with("model", ["hub": "a/b", "revision": "x/../y"]), pointers: ["/model/revision"], message: "a branch"),
      Hostile(json: with("model", ["hub": "a/b", "revision": "a b"]), pointers: ["/model/revision"], message: "a branch"),
      Hostile(json: with("model", ["hub": "a/b", "revision": "-x"]), pointers: ["/model/revision"], message: "a branch"),
      Hostile(json: with("model", ["hub": "a/b", "revision": "a//b"]), pointers: ["/model/revision"], message: "a branch"),
      Hostile(json: with("model", ["hub": "a/b", "commit": "ABC"]), pointers: ["/model/commit"], message: "40 hexadecimal digits"),
      Hostile(json: with("model", ["hub": "a/b", "token": "x"]), pointers: ["/model/token"], message: "is not a known field"),
      Hostile(
        json: ["kind": "layers", "model": ["hub": "a/b"]], pointers: ["/model"], message: "files of layers don't come from a Hub"),
      Hostile(json: with("colour", "blue"), pointers: ["/colour"], message: "is not a known field; known here: calibration"),
      Hostile(json: with("a/b~c", 1), pointers: ["/a~1b~0c"], message: "is not a known field"),
      Hostile(json: with("priority", 5000), pointers: ["/priority"], message: "from -1000 to 1000, is 5000"),
      Hostile(json: with("quantization", "4"), pointers: ["/quantization"], message: "must be an object"),
      Hostile(json: with("quantization", ["bits": 5]), pointers: ["/quantization/bits"], message: "must be 2, 3, 4 or 8, is 5"),
      Hostile(json: with("quantization", ["bits": "4"]), pointers: ["/quantization/bits"], message: "must be an integer, is a string"),
      Hostile(json: with("quantization", ["bits": 4.5]), pointers: ["/quantization/bits"], message: "must be an integer, is a number"),
      Hostile(json: with("quantization", ["group_size": 0]), pointers: ["/quantization/group_size"], message: "is 0"),
      Hostile(json: with("quantization", ["group_size": -2]), pointers: ["/quantization/group_size"], message: "is -2"),
      Hostile(
        json: with("quantization", ["group_size": 9_223_372_036_854_775_807]), pointers: ["/quantization/group_size"],
        message: "must be from -1 to"),
      Hostile(json: with("quantization", ["sym": 1]), pointers: ["/quantization/sym"], message: "must be true or false"),
      Hostile(
        json: with("quantization", ["desc_act": true, "act_group_aware": true]), pointers: ["/quantization/act_group_aware"],
        message: "choose one order"),
      Hostile(json: with("quantization", ["damp_percent": 1.5]), pointers: ["/quantization/damp_percent"], message: "from 0.0 to 1.0"),
      Hostile(json: with("quantization", ["format": "awq"]), pointers: ["/quantization/format"], message: "one of gptq, gptq_v2"),
      Hostile(json: with("quantization", ["method": "magic"]), pointers: ["/quantization/method"], message: "one of gptq, rtn"),
      Hostile(
        json: with("quantization", ["bits": 5, "Bits": 4]), pointers: ["/quantization/bits", "/quantization/Bits"],
        message: "is not a known field"),
      Hostile(json: ["model": "m"], pointers: ["/calibration"], message: "only \"rtn\" works without"),
      Hostile(json: with("calibration", [:]), pointers: ["/calibration/dataset"], message: "is missing"),
      Hostile(
        json: with("calibration", ["dataset": "d", "samples": 0]), pointers: ["/calibration/samples"], message: "from 1 to"),
      Hostile(
        json: with("calibration", ["dataset": "d", "seed": -1]), pointers: ["/calibration/seed"], message: "from 0 to"),
      Hostile(
        json: with("evaluation", ["dataset": "../x", "sequence_length": 1]),
        pointers: ["/evaluation/dataset", "/evaluation/sequence_length"], message: "not a path"),
    ])
  func refuses(_ hostile: Hostile) throws {
    let problem = try #require(throws: Problem.self) { try JobRequest(parsing: hostile.json) }
    #expect(problem.status == 422)
    #expect(problem.code == .invalidRequest)
    #expect(problem.errors?.map(\.pointer) == hostile.pointers)
    #expect(problem.detail.contains(hostile.message), "\(problem.detail)")
  }
}
