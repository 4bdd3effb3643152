import ArgumentParser
import JobModel

struct Cancel: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Cancels a job that waits or runs.")

  @Argument(help: "Id, beginning of it, or latest.", completion: .jobs { !$0.isEnded }) var job: String
  @Flag(help: "Wait until the job has ended.") var wait = false
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let client = try server.client()
    let id = try await client.resolve(job)
    var answer = try await client.send("POST", "/v1/jobs/\(id)/cancel")
    var status = try APICoding.decode(Job.self, from: answer.body).status
    while wait, !status.isEnded {
      answer = try await client.send("GET", "/v1/jobs/\(id)?wait=30")
      status = try APICoding.decode(Job.self, from: answer.body).status
    }
    server.json ? Terminal.printJSON(answer.body) : print("\(id) \(status.rawValue)")
  }
}
