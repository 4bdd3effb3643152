import ArgumentParser
import Foundation
import JobModel
import StrictJSON

package struct Submit: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(abstract: "Submits a job.")

  @Argument(help: "Name of the model below one of the server's model roots.", completion: .models)
  var model: String?

  @Option(help: "ORG/NAME of a repository of the server's Hub, instead of MODEL.") var hub: String?
  @Option(help: "Branch, tag or commit of --hub; main if it isn't given.") var revision: String?

  @Option(
    help: "A request as JSON, sent as it is; - reads standard input. Instead of MODEL and the options of the request.",
    completion: .file(extensions: ["json"]))
  var file: String?

  @OptionGroup var options: RequestOptions
  @OptionGroup var webhook: WebhookOptions
  @Option(help: "A repeated submission with the same key makes no second job.") var idempotencyKey: String?
  @Flag(help: "Watch the job until it ends.") var watch = false
  @OptionGroup var server: ServerOptions

  package init() {}

  package func validate() throws {
    guard [model, hub, file].count(where: { $0 != nil }) == 1 else { throw ValidationError("Give either MODEL, --hub or --file.") }
    if revision != nil, hub == nil { throw ValidationError("--revision goes with --hub.") }
    if file != nil, !options.request.isEmpty || !webhook.isEmpty {
      throw ValidationError("--file holds the whole request; leave the other options out.")
    }
  }

  package func run() async throws {
    let client = try server.client()
    let headers = idempotencyKey.map { ["Idempotency-Key": $0] } ?? [:]
    let answer = try await client.send("POST", "/v1/jobs", body: try body(), headers: headers)
    let job = try APICoding.decode(Job.self, from: answer.body)
    if server.json {
      Terminal.printJSON(answer.body)
    } else {
      Terminal.show("\(job.id)\n")
      for warning in job.warnings { Terminal.note("warning: \(warning)") }
    }
    if watch { try await JobWatcher(client: client, id: job.id, json: server.json).run() }
  }

  /// The request as it is sent.
  ///
  /// - Throws: `ClientError.file`.
  package func body() throws -> Data {
    guard let file else {
      var request = options.request
      request["model"] =
        model.map(JSONValue.string)
        ?? hub.map { hub in
          .object(JSONObject(given: [("hub", .string(hub)), ("revision", revision.map(JSONValue.string))]))
        }
      request["webhook"] = try webhook.value()
      return Data(JSONValue.object(request).serialized().utf8)
    }
    do {
      return try file == "-" ? FileHandle.standardInput.readToEnd() ?? Data() : Data(contentsOf: URL(filePath: file))
    } catch {
      throw ClientError.file(path: file, reason: error.localizedDescription)
    }
  }
}
