import ArgumentParser
import JobModel

struct Layers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists a job's layers and what was done to them.")

  @Argument(help: "Id, beginning of it, or latest.", completion: .jobs()) var job: String
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let client = try server.client()
    let layers = try await client.all(LayerRecord.self, "/v1/jobs/\(client.resolve(job))/layers", onAnswer: server.show)
    if !server.json { print(LayerTable(layers).text) }
  }
}
