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
    var table = TextTable([
      ("layer", .left), ("shape", .right), ("state", .left), ("method", .left), ("damping", .right), ("attempts", .right),
      ("relative loss", .right), ("tokens", .right), ("dead", .right), ("seconds", .right),
    ])
    for layer in try APICoding.decode(APIList<LayerRecord>.self, from: answer.body).data {
      table.add([
        layer.name, Formatting.shape(layer.shape), layer.state.rawValue, layer.method?.rawValue ?? "–",
        Formatting.significant(layer.damping),
        "\(layer.attempts)", Formatting.significant(layer.relativeLoss), Formatting.optional(layer.tokens),
        Formatting.optional(layer.deadColumns), layer.seconds.map { Formatting.fixed($0, 3) } ?? "–",
      ])
    }
    print(table.text)
  }
}
