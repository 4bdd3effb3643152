import ArgumentParser
import Foundation
import JobModel

struct Model: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Uploads, lists and deletes models.",
    subcommands: [ModelPush.self, ModelList.self, ModelShow.self, ModelDelete.self])
}

package struct ModelPush: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "push", abstract: "Uploads a model's folder.",
    discussion:
      "Goes on where an earlier upload was cut off, skips files that the server has, and has the server check the SHA-256 of each.")

  @Argument(help: "Folder with config.json, *.safetensors, tokenizer.json; hidden files stay here.", completion: .directory)
  var folder: String
  @OptionGroup var options: PushOptions
  @OptionGroup var server: ServerOptions

  package init() {}

  package func run() async throws {
    let url = URL(filePath: folder).standardizedFileURL
    let name = try Push.name(options.name, of: url, noun: "model")
    let items = try ModelFiles.list(url).map { path, file in
      Push.Item(name: "\(path)", file: file, path: "/v1/models/\(name)/files/\(path)")
    }
    let client = try server.client()
    let present = try await Push(client: client, parallel: options.parallel, isSilent: server.json).run(items)
    guard !server.json else { return Terminal.printJSON(try await client.send("GET", "/v1/models/\(name)").body) }
    print("\(name): \(items.count) files" + (present > 0 ? ", \(present) of them were there" : ""))
  }
}

struct ModelList: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists the models that a job can name.")

  @OptionGroup var server: ServerOptions

  func run() async throws {
    let models = try await server.client().all(StoredModel.self, "/v1/models", onAnswer: server.show)
    guard !server.json else { return }
    var table = TextTable([("model", .left), ("from", .left), ("files", .right), ("size", .right)])
    for model in models {
      table.add(
        [model.name, model.source.words, "\(model.fileCount)", Formatting.bytes(model.size)],
        note: model.unfinished > 0 ? "\(model.unfinished) files aren't uploaded to their end" : nil)
    }
    print(table.text)
  }
}

struct ModelShow: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "show", abstract: "Shows a model's files.")

  @Argument(help: "Name.") var name: String
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let answer = try await server.client().send("GET", "/v1/models/" + name.pathEncoded)
    guard !server.json else { return Terminal.printJSON(answer.body) }
    let model = try APICoding.decode(StoredModel.self, from: answer.body)
    print("\(model.name)  \(model.source.words)  \(Formatting.bytes(model.size))")
    var table = TextTable([("file", .left), ("size", .right), ("sha256", .left)])
    for file in model.files ?? [] {
      table.add(
        [file.path, file.size.map(Formatting.bytes) ?? "–", file.sha256 ?? "–"], note: file.upload.map(\.words))
    }
    print(table.text)
  }
}

struct ModelDelete: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "delete", abstract: "Deletes an uploaded model, or a file of it.")

  @Argument(help: "Name.") var name: String
  @Argument(help: "File of the model; all of it if not given.") var file: String?
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let path = file.map { "/files/" + $0.pathEncoded } ?? ""
    _ = try await server.client().send("DELETE", "/v1/models/" + name.pathEncoded + path)
    if !server.json { print("\(name)\(file.map { " \($0)" } ?? "") deleted") }
  }
}

extension StoredSource {
  var words: String { self == .uploaded ? "uploaded" : "the server's folders" }
}

extension UploadProgress {
  var words: String {
    "\(Formatting.bytes(received)) of \(size.map(Formatting.bytes) ?? "?") are uploaded; push it again to go on"
  }
}

extension String {
  /// As a part of a URL's path.
  var pathEncoded: String { addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? self }
}
