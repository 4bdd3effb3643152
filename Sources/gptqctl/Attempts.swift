import ArgumentParser
import Foundation
import JobModel

struct Attempts: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists every try at a job's layers, those of earlier starts included.")

  @Argument(help: "Id, beginning of it, or latest.", completion: .jobs()) var job: String
  @Option(help: "Only this layer's.") var layer: String?
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let client = try server.client()
    let query = layer?.addingPercentEncoding(withAllowedCharacters: .alphanumerics).map { "?layer=\($0)" } ?? ""
    let attempts = try await client.all(
      AttemptRecord.self, "/v1/jobs/\(client.resolve(job))/attempts" + query, onAnswer: server.show)
    if !server.json { print(AttemptTable(attempts).text) }
  }
}
