import ArgumentParser

struct Delete: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Deletes a job that has ended, with its checkpoint and its history.")

  @Argument(help: "Id, or beginning of it.", completion: .jobs(\.isEnded)) var job: String
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let client = try server.client()
    let id = try await client.resolve(job)
    _ = try await client.send("DELETE", "/v1/jobs/\(id)")
    if !server.json { print("\(id) deleted") }
  }
}
