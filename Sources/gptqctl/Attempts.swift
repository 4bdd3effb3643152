import ArgumentParser
import Foundation
import JobModel

struct Attempts: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists every try at a job's layers, those of earlier starts included.")

  @Argument(help: "Id, beginning of it, or latest.") var job: String
  @Option(help: "Only this layer's.") var layer: String?
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let client = try server.client()
    let query = layer?.addingPercentEncoding(withAllowedCharacters: .alphanumerics).map { "?layer=\($0)" } ?? ""
    let answer = try await client.send("GET", "/v1/jobs/\(client.resolve(job))/attempts" + query)
    guard !server.json else { return Terminal.printJSON(answer.body) }
    var table = TextTable([
      ("layer", .left), ("start", .right), ("try", .right), ("outcome", .left), ("cause", .left), ("damping", .right),
      ("precision", .left), ("tokens", .right), ("info", .right), ("smallest pivot", .right), ("1/condition", .right), ("loss", .right),
      ("seconds", .right),
    ])
    for attempt in try APICoding.decode(APIList<AttemptRecord>.self, from: answer.body).data {
      table.add([
        attempt.layer, "\(attempt.jobAttempt)", "\(attempt.number)", attempt.outcome.rawValue, attempt.cause?.rawValue ?? "–",
        Formatting.significant(attempt.damping), attempt.precision.rawValue, "\(attempt.tokens)", "\(attempt.info)",
        Formatting.significant(attempt.smallestPivot), Formatting.significant(attempt.reciprocalCondition),
        Formatting.significant(attempt.loss), Formatting.fixed(attempt.seconds, 3),
      ])
    }
    print(table.text)
  }
}
