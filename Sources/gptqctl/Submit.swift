import ArgumentParser
import Foundation
import JobModel
import StrictJSON

struct Submit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Submits a job.")

  @Argument(help: "Name of the model below one of the server's model roots.")
  var model: String?

  @Option(help: "A request as JSON, sent as it is; - reads standard input. Instead of MODEL and the options of the request.")
  var file: String?

  @Option(help: "gptq or rtn (round to nearest).") var method: String?
  @Option(help: "2, 3, 4 or 8.") var bits: Int?
  @Option(parsing: .unconditional, help: "Input channels that share a scale; -1: all.") var groupSize: Int?
  @Flag(inversion: .prefixedNo, help: "Grids centred on 0.") var sym: Bool?
  @Flag(inversion: .prefixedNo, help: "Columns by falling activation.") var descAct: Bool?
  @Flag(inversion: .prefixedNo, help: "Columns by falling activation within contiguous groups.") var actGroupAware: Bool?
  @Option(help: "First damping, as a fraction of the Hessian's mean diagonal.") var dampPercent: Double?
  @Option(help: "gptq (v1) or gptq_v2.") var format: String?
  @Option(help: "Dataset whose activations the Hessians are made of.") var calibration: String?
  @Option(help: "Calibration sequences.") var samples: Int?
  @Option(help: "Tokens of a calibration sequence.") var sequenceLength: Int?
  @Option(help: "Chooses the calibration sequences.") var seed: Int?
  @Option(help: "Dataset on which perplexity is measured before and after.") var evaluation: String?
  @Option(help: "Evaluation sequences.") var evaluationSamples: Int?
  @Option(help: "Tokens of an evaluation sequence.") var evaluationLength: Int?
  @Option(help: "Higher runs first.") var priority: Int?
  @Option(help: "A repeated submission with the same key makes no second job.") var idempotencyKey: String?
  @Flag(help: "Watch the job until it ends.") var watch = false
  @OptionGroup var server: ServerOptions

  func validate() throws {
    if (model == nil) == (file == nil) { throw ValidationError("Give either MODEL or --file.") }
    if file != nil, !request.isEmpty { throw ValidationError("--file holds the whole request; leave the other options out.") }
  }

  /// What the options ask for, the model left out.
  private var request: JSONObject {
    let quantization = Self.object([
      ("method", method.map(JSONValue.string)), ("bits", Self.integer(bits)), ("group_size", Self.integer(groupSize)),
      ("sym", sym.map(JSONValue.bool)), ("desc_act", descAct.map(JSONValue.bool)), ("act_group_aware", actGroupAware.map(JSONValue.bool)),
      ("damp_percent", dampPercent.map(JSONValue.number)), ("format", format.map(JSONValue.string)),
    ])
    let calibration = Self.object([
      ("dataset", calibration.map(JSONValue.string)), ("samples", Self.integer(samples)),
      ("sequence_length", Self.integer(sequenceLength)), ("seed", Self.integer(seed)),
    ])
    let evaluation = Self.object([
      ("dataset", evaluation.map(JSONValue.string)), ("samples", Self.integer(evaluationSamples)),
      ("sequence_length", Self.integer(evaluationLength)),
    ])
    return Self.object([
      ("quantization", quantization.isEmpty ? nil : .object(quantization)),
      ("calibration", calibration.isEmpty ? nil : .object(calibration)),
      ("evaluation", evaluation.isEmpty ? nil : .object(evaluation)), ("priority", Self.integer(priority)),
    ])
  }

  private static func object(_ members: [(String, JSONValue?)]) -> JSONObject {
    var object = JSONObject()
    for (key, value) in members { object[key] = value }
    return object
  }

  private static func integer(_ value: Int?) -> JSONValue? { value.map { .integer(Int64($0)) } }

  func run() async throws {
    let client = try server.client()
    let headers = idempotencyKey.map { ["Idempotency-Key": $0] } ?? [:]
    let answer = try await client.send("POST", "/v1/jobs", body: try body(), headers: headers)
    let job = try APICoding.decode(Job.self, from: answer.body)
    if server.json {
      Terminal.printJSON(answer.body)
    } else {
      print(job.id)
      for warning in job.warnings { Terminal.note("warning: \(warning)") }
    }
    if watch { try await JobWatcher(client: client, id: job.id, json: server.json).run() }
  }

  private func body() throws -> Data {
    guard let file else {
      var request = request
      request["model"] = model.map(JSONValue.string)
      return Data(JSONValue.object(request).serialized().utf8)
    }
    do {
      return try file == "-" ? FileHandle.standardInput.readToEnd() ?? Data() : Data(contentsOf: URL(filePath: file))
    } catch {
      throw ClientError.file(path: file, reason: error.localizedDescription)
    }
  }
}
