import ArgumentParser
import JobModel

struct List: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists jobs, the newest first.")

  @Option(help: "Only jobs in this status.", completion: .choice(of: JobStatus.self)) var status: String?
  @Option(help: "At most this many.") var limit = 20
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let answer = try await server.client().send("GET", "/v1/jobs?limit=\(limit)" + (status.map { "&status=\($0)" } ?? ""))
    guard !server.json else { return Terminal.printJSON(answer.body) }
    var table = TextTable([("job", .left), ("status", .left), ("model", .left), ("bits", .right), ("progress", .right), ("created", .left)])
    for job in try APICoding.decode(APIList<Job>.self, from: answer.body).data {
      let progress = job.progress.map { "\($0.done)/\($0.total)" } ?? "–"
      table.add([
        job.id.text, job.status.rawValue, "\(job.request.model)", "\(job.request.quantization.bits)", progress,
        job.createdAt.formatted(.iso8601),
      ])
    }
    print(table.text)
  }
}
