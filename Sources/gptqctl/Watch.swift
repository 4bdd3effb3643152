import ArgumentParser

struct Watch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Follows a job until it ends.", discussion: "Ctrl-C ends the watching; the job goes on.")

  @Argument(help: "Id, beginning of it, or latest.", completion: .jobs { !$0.isEnded }) var job: String
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let client = try server.client()
    try await JobWatcher(client: client, id: client.resolve(job), json: server.json).run()
  }
}
