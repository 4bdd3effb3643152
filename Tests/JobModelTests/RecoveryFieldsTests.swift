import JobModel
import StrictJSON
import Testing

/// Kind, quality, damping and recovery in a job's request.
@Suite struct RecoveryFieldsTests {
  private static func model(_ members: JSONObject = [:]) -> JSONValue { merged(["model": "m", "calibration": ["dataset": "d"]], members) }

  private static func layers(_ members: JSONObject = [:]) -> JSONValue { merged(["kind": "layers", "model": "m"], members) }

  private static func merged(_ object: JSONObject, _ members: JSONObject) -> JSONValue {
    var object = object
    for (key, value) in members.members { object[key] = value }
    return .object(object)
  }

  struct Accepted: Sendable, CustomTestStringConvertible {
    let json: JSONValue
    let request: JobRequest
    var testDescription: String { String(json.serialized().prefix(80)) }
  }

  private static let calibration = CalibrationRequest(dataset: "d")
  private static let layersDefault = JobRequest(
    kind: .layers, model: "m", quantization: .init(errorCompensation: 0), recovery: .init(escalateSamples: []))

  @Test(
    "Fields are read, and what is absent or null has its default",
    arguments: [
      Accepted(json: model(), request: JobRequest(model: "m", calibration: calibration)),
      Accepted(
        json: model(["kind": .null, "damping": .null, "recovery": .null, "quantization": .null]),
        request: JobRequest(model: "m", calibration: calibration)),
      Accepted(
        json: model([
          "kind": "model", "quantization": ["mse": .null, "scale_refinement": .null, "error_compensation": .null],
          "damping": ["start": .null], "recovery": ["escalate_samples": .null, "on_exhausted": .null],
        ]), request: JobRequest(model: "m", calibration: calibration)),
      Accepted(
        json: model([
          "quantization": ["mse": false, "scale_refinement": false, "error_compensation": 0], "damping": ["start": "fixed"],
          "recovery": ["escalate_samples": [1, 300, 1_048_576], "on_exhausted": "keep"],
        ]),
        request: JobRequest(
          model: "m", quantization: .init(mse: false, scaleRefinement: false, errorCompensation: 0), damping: .init(start: .fixed),
          recovery: .init(escalateSamples: [1, 300, 1_048_576], onExhausted: .keep), calibration: calibration)),
      Accepted(
        json: model(["quantization": ["error_compensation": 1], "recovery": ["escalate_samples": [], "on_exhausted": "rtn"]]),
        request: JobRequest(
          model: "m", quantization: .init(errorCompensation: 1), recovery: .init(escalateSamples: [], onExhausted: .rtn),
          calibration: calibration)),
      Accepted(json: layers(), request: layersDefault),
      Accepted(json: layers(["model": "m.safetensors"]), request: with(layersDefault) { $0.model = "m.safetensors" }),
      Accepted(
        json: layers(["calibration": .null, "evaluation": .null, "quantization": ["bits": 3], "recovery": ["on_exhausted": "rtn"]]),
        request: with(layersDefault) { request in
          request.quantization.bits = 3
          request.recovery.onExhausted = .rtn
        }),
      Accepted(
        json: layers(["quantization": ["method": "rtn", "error_compensation": 0.0], "recovery": ["escalate_samples": []]]),
        request: with(layersDefault) { $0.quantization.method = .rtn }),
    ])
  func reads(_ accepted: Accepted) throws {
    #expect(try JobRequest(parsing: accepted.json) == accepted.request)
    let stored = try APICoding.encode(accepted.request)
    #expect(try JobRequest(parsing: JSONValue(parsing: Array(stored))) == accepted.request)
  }

  private static func with(_ request: JobRequest, _ change: (inout JobRequest) -> Void) -> JobRequest {
    var request = request
    change(&request)
    return request
  }

  struct Hostile: Sendable, CustomTestStringConvertible {
    let json: JSONValue
    /// Pointers of all errors, in order.
    let pointers: [String]
    let message: String
    var testDescription: String { String(json.serialized().prefix(80)) }
  }

  private static func quantization(_ field: String, _ value: JSONValue, _ message: String) -> Hostile {
    Hostile(json: model(["quantization": .object([field: value])]), pointers: ["/quantization/" + field], message: message)
  }

  private static func recovery(_ field: String, _ value: JSONValue, _ message: String, at suffix: String = "") -> Hostile {
    Hostile(json: model(["recovery": .object([field: value])]), pointers: ["/recovery/" + field + suffix], message: message)
  }

  private static let escalation = "escalate_samples"

  @Test(
    "Every wrong field is named by its pointer, with what to do",
    arguments: [
      Hostile(json: ["kind": "layer", "model": "m"], pointers: ["/kind"], message: "must be one of model, layers, is \"layer\""),
      Hostile(json: model(["kind": 1]), pointers: ["/kind"], message: "must be a string"),
      quantization("mse", 1, "must be true or false"), quantization("mse", "true", "must be true or false"),
      quantization("scale_refinement", 0.5, "must be true or false"),
      quantization("error_compensation", true, "must be a number"), quantization("error_compensation", -0.1, "from 0.0 to 1.0, is -0.1"),
      quantization("error_compensation", 1.1, "from 0.0 to 1.0"), quantization("error_compensation", .number(1e308), "from 0.0 to 1.0"),
      quantization("error_compensation", "0.5", "must be a number"), quantization("scale_search", true, "is not a known field"),
      Hostile(json: model(["damping": "history"]), pointers: ["/damping"], message: "must be an object"),
      Hostile(json: model(["damping": ["start": "always"]]), pointers: ["/damping/start"], message: "one of history, fixed"),
      Hostile(json: model(["damping": ["begin": "fixed"]]), pointers: ["/damping/begin"], message: "known here: start"),
      Hostile(json: model(["recovery": []]), pointers: ["/recovery"], message: "must be an object, is an array"),
      recovery("on_exhausted", "skip", "one of fail, rtn, keep, is \"skip\""), recovery("on_exhausted", false, "must be a string"),
      recovery("policy", "rtn", "known here: escalate_samples, on_exhausted"),
      recovery(escalation, 256, "must be a list of integers, is an integer"),
      recovery(escalation, ["256": 1], "must be a list of integers, is an object"),
      recovery(escalation, "256,512", "must be a list of integers, is a string"),
      recovery(escalation, [256, "512"], "must be an integer, is a string", at: "/1"),
      recovery(escalation, [.null], "must be an integer, is null", at: "/0"),
      recovery(escalation, [256.5], "must be an integer, is a number", at: "/0"),
      recovery(escalation, [0], "must be from 1 to 1048576, is 0", at: "/0"),
      recovery(escalation, [-256], "must be from 1 to 1048576, is -256", at: "/0"),
      recovery(escalation, [1, 1_048_577], "must be from 1 to 1048576", at: "/1"),
      recovery(escalation, [.integer(.max)], "must be from 1 to 1048576", at: "/0"),
      recovery(escalation, [.number(1e300)], "must be an integer", at: "/0"),
      recovery(escalation, [256, 256], "must be more than the element before it, which is 256; is 256", at: "/1"),
      recovery(escalation, [512, 1024, 256], "must be more than the element before it, which is 1024; is 256", at: "/2"),
      recovery(escalation, .array((1...17).map { .integer($0) }), "at most 16 elements, has 17"),
      Hostile(json: ["model": "m", "calibration": .null], pointers: ["/calibration"], message: "/calibration is missing"),
      Hostile(json: ["kind": "model", "model": "m"], pointers: ["/calibration"], message: "is missing"),
      Hostile(json: layers(["model": "../m.safetensors"]), pointers: ["/model"], message: "not a path"),
      Hostile(json: layers(["calibration": ["dataset": "d"]]), pointers: ["/calibration"], message: "leave it out"),
      Hostile(json: layers(["evaluation": ["dataset": "d"]]), pointers: ["/evaluation"], message: "leave it out"),
      Hostile(json: layers(["quantization": ["method": "awq"]]), pointers: ["/quantization/method"], message: "one of gptq, rtn"),
      Hostile(
        json: layers(["quantization": ["error_compensation": 0.5]]), pointers: ["/quantization/error_compensation"],
        message: "must be 0 with kind \"layers\""),
      Hostile(
        json: layers(["recovery": ["escalate_samples": [256]]]), pointers: ["/recovery/escalate_samples"],
        message: "must be empty with kind \"layers\""),
      Hostile(
        json: layers([
          "calibration": ["dataset": "d"], "quantization": ["error_compensation": 1], "recovery": ["escalate_samples": [1]],
          "evaluation": ["dataset": "d"],
        ]), pointers: ["/quantization/error_compensation", "/recovery/escalate_samples", "/calibration", "/evaluation"], message: ""),
    ])
  func refuses(_ hostile: Hostile) throws {
    let problem = try #require(throws: Problem.self) { try JobRequest(parsing: hostile.json) }
    #expect(problem.status == 422)
    #expect(problem.errors?.map(\.pointer) == hostile.pointers)
    #expect(hostile.message.isEmpty || problem.detail.contains(hostile.message), "\(problem.detail)")
  }
}
