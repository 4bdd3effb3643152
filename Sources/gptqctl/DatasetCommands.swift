import ArgumentParser
import Foundation
import JobModel

struct Dataset: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Uploads, lists and deletes datasets.",
    subcommands: [DatasetPush.self, DatasetList.self, DatasetShow.self, DatasetDelete.self])
}

package struct DatasetPush: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "push", abstract: "Uploads a dataset.",
    discussion: "The server checks each line while it comes, and names the first that is wrong.")

  @Argument(help: "JSON Lines of {\"text\": …} or {\"input_ids\": […]}.", completion: .file(extensions: ["jsonl"])) var file: String
  @Option(help: "Name on the server; that of the file without .jsonl if not given.") var name: String?
  @OptionGroup var server: ServerOptions

  package init() {}

  package func run() async throws {
    let url = URL(filePath: file).standardizedFileURL
    let ownName = url.pathExtension == "jsonl" ? url.deletingPathExtension() : url
    let name = try Push.name(name, of: ownName, noun: "dataset")
    let client = try server.client()
    let path = "/v1/datasets/\(name)"
    _ = try await Push(client: client, parallel: 1, isSilent: server.json)
      .run([.init(name: url.lastPathComponent, file: url, path: path)])
    let answer = try await client.send("GET", path)
    guard !server.json else { return Terminal.printJSON(answer.body) }
    print("\(name): \(Formatting.optional(try APICoding.decode(StoredDataset.self, from: answer.body).rows)) rows")
  }
}

struct DatasetList: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists the datasets that a job can name.")

  @OptionGroup var server: ServerOptions

  func run() async throws {
    let datasets = try await server.client().all(StoredDataset.self, "/v1/datasets", onAnswer: server.show)
    guard !server.json else { return }
    var table = TextTable([("dataset", .left), ("from", .left), ("rows", .right), ("size", .right)])
    for dataset in datasets {
      table.add(
        [dataset.name, dataset.source.words, Formatting.optional(dataset.rows), dataset.size.map(Formatting.bytes) ?? "–"],
        note: dataset.upload.map(\.words))
    }
    print(table.text)
  }
}

struct DatasetShow: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "show", abstract: "Shows a dataset.")

  @Argument(help: "Name.") var name: String
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let answer = try await server.client().send("GET", "/v1/datasets/" + name.pathEncoded)
    guard !server.json else { return Terminal.printJSON(answer.body) }
    let dataset = try APICoding.decode(StoredDataset.self, from: answer.body)
    var table = TextTable([("dataset", .left), ("from", .left), ("rows", .right), ("size", .right), ("sha256", .left)])
    table.add(
      [
        dataset.name, dataset.source.words, Formatting.optional(dataset.rows), dataset.size.map(Formatting.bytes) ?? "–",
        dataset.sha256 ?? "–",
      ], note: dataset.upload.map(\.words))
    print(table.text)
  }
}

struct DatasetDelete: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "delete", abstract: "Deletes an uploaded dataset.")

  @Argument(help: "Name.") var name: String
  @OptionGroup var server: ServerOptions

  func run() async throws {
    _ = try await server.client().send("DELETE", "/v1/datasets/" + name.pathEncoded)
    if !server.json { print("\(name) deleted") }
  }
}
