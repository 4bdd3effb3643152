import ArgumentParser
import Foundation
import JobModel
import StrictJSON

package struct Retry: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(
    abstract: "Starts a failed or cancelled job again, from its last finished block.",
    discussion: "What isn't given stays as the job has it.")

  @Argument(help: "Id, beginning of it, or latest.", completion: .jobs { $0 == .failed || $0 == .cancelled }) var job: String
  @OptionGroup var changes: RecoveryOptions
  @OptionGroup var cluster: ClusterOptions
  @Flag(help: "Watch the job until it ends.") var watch = false
  @OptionGroup var server: ServerOptions

  package init() {}

  package func run() async throws {
    let client = try server.client()
    let id = try await client.resolve(job)
    let answer = try await client.send("POST", "/v1/jobs/\(id)/retry", body: body)
    let status = try APICoding.decode(Job.self, from: answer.body).status
    server.json ? Terminal.printJSON(answer.body) : Terminal.show("\(id) \(status.rawValue)\n")
    if watch { try await JobWatcher(client: client, id: id, json: server.json).run() }
  }

  /// nil where nothing is changed.
  package var body: Data? {
    var request = changes.request
    for (key, value) in cluster.request.members { request[key] = value }
    return request.valueIfAny.map { Data($0.serialized().utf8) }
  }
}
