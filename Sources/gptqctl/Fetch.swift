import ArgumentParser
import Foundation
import JobModel

struct Fetch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fetches a finished job's checkpoint.",
    discussion: "Goes on where an earlier fetch stopped, skips files that are there already, and checks the SHA-256 of each.")

  @Argument(help: "Id, beginning of it, or latest.", completion: .jobs { $0 == .succeeded }) var job: String
  @Option(name: .shortAndLong, help: "Folder for the files; the job's id if not given.", completion: .directory) var output: String?
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let client = try server.client()
    let id = try await client.resolve(job)
    let answer = try await client.send("GET", "/v1/jobs/\(id)/artifacts")
    let manifest = try APICoding.decode(ArtifactManifest.self, from: answer.body)
    let folder = URL(filePath: output ?? id.text)
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw ClientError.file(path: folder.path, reason: error.localizedDescription)
    }
    for file in manifest.files {
      let shows = Terminal.isInteractive && !server.json
      let download = FileDownload(client: client, path: "/v1/jobs/\(id)/artifacts/", file: file, folder: folder)
      try await download.run { bytes in
        guard shows else { return }
        let fraction = file.size == 0 ? 1 : Double(bytes) / Double(file.size)
        let label = "\(file.path)  \(Formatting.bytes(bytes)) of \(Formatting.bytes(file.size))"
        Terminal.show(Terminal.clearLine + ProgressBar.line(fraction: fraction, label: label, width: Terminal.width))
      }
      if shows { Terminal.show(Terminal.clearLine) }
      if !server.json { print("\(file.path)  \(Formatting.bytes(file.size))  sha256 \(file.sha256.prefix(12))… verified") }
    }
    server.json ? Terminal.printJSON(answer.body) : print("checkpoint in \(folder.path)")
  }
}
