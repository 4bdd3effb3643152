import ArgumentParser
import JobModel

struct Layers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists a job's layers and what was done to them.")

  @Argument(help: "Id, beginning of it, or latest.") var job: String
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let client = try server.client()
    let answer = try await client.send("GET", "/v1/jobs/\(client.resolve(job))/layers")
    guard !server.json else { return Terminal.printJSON(answer.body) }
    print(LayerTable(try APICoding.decode(APIList<LayerRecord>.self, from: answer.body).data).text)
  }
}
