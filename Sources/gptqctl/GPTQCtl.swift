import ArgumentParser
import Foundation

/// The client's command line.
@main
struct GPTQCtl: AsyncParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "gptqctl", abstract: "Submits GPTQ jobs to gptqd, watches them and fetches their checkpoints.",
    discussion: """
      JOB is a job's id, a beginning of it that no other job has, or "latest".

      Exit codes: 0 done; 1 the job failed or was cancelled; 3 the server refused; 4 the server can't be reached; \
      5 a file's bytes are not those that the server promised; 64 wrong usage; 130 interrupted.
      """,
    version: version,
    subcommands: [
      Submit.self, List.self, Show.self, Watch.self, Layers.self, Attempts.self, Webhook.self, Fetch.self, Cancel.self, Retry.self,
      Delete.self, Model.self, Dataset.self, Doctor.self,
    ])

  static func main() async {
    do {
      var command = try await asyncParseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let error as ClientError {
      Terminal.note("gptqctl: \(error)")
      Foundation.exit(error.exitStatus)
    } catch {
      exit(withError: error)
    }
  }
}

/// Options of every command.
struct ServerOptions: ParsableArguments {
  @Option(help: "Address of the server; otherwise GPTQD_URL, otherwise http://127.0.0.1:8790.")
  var url: String?

  @Option(help: "Token for the server; otherwise GPTQD_TOKEN.")
  var token: String?

  @Flag(help: "Print the server's JSON as it came.")
  var json = false

  /// Prints an answer where that is asked for.
  func show(_ answer: Data) { if json { Terminal.printJSON(answer) } }

  static let standardURL = "http://127.0.0.1:8790"

  func client() throws -> APIClient { try APIClient(url: address.text, token: presentedToken) }

  /// The server's address, and where it comes from.
  var address: (text: String, source: String) {
    if let url { return (url, "--url") }
    if let url = ProcessInfo.processInfo.environment["GPTQD_URL"] { return (url, "GPTQD_URL") }
    return (Self.standardURL, "the default; neither --url nor GPTQD_URL is set")
  }

  var presentedToken: String? { token ?? ProcessInfo.processInfo.environment["GPTQD_TOKEN"] }
}
