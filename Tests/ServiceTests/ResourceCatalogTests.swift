import Foundation
import JobModel
import Service
import Testing

@Suite struct ResourceCatalogTests {
  private let folder: TemporaryFolder
  private let catalog: ResourceCatalog

  init() throws {
    folder = try TemporaryFolder()
    for path in [
      "one/a/config.json", "one/both/config.json", "two/both/config.json", "two/b/config.json", "one/file", "one-more/c/config.json",
      "outside/d/config.json", "data/text.jsonl", "data/notes.txt", "data/folder.jsonl/x",
      "one/h.safetensors", "two/h.safetensors", "two/i.safetensors", "one/folder.safetensors/x", "outside/j.safetensors",
    ] { try folder.write(path) }
    try folder.link("one/inside", to: "a")
    try folder.link("one/sibling", to: "../one-more/c")
    try folder.link("one/outside", to: folder.url.appending(path: "outside/d").path)
    try folder.link("one/dangling", to: "nowhere")
    try folder.link("one/linked.safetensors", to: "h.safetensors")
    try folder.link("one/outside.safetensors", to: "../outside/j.safetensors")
    try folder.link("one/dangling.safetensors", to: "nowhere.safetensors")
    try folder.link("one/root", to: ".")
    try folder.link("one/loop", to: "loop")
    try folder.link("data/outside.jsonl", to: "/etc/passwd")
    try folder.link("linked", to: "two")
    catalog = ResourceCatalog(
      modelRoots: [folder.url.appending(component: "one"), folder.url.appending(component: "linked"), URL(filePath: "/nowhere")],
      datasetRoots: [folder.url.appending(component: "data")])
  }

  private func files(_ model: String, kind: JobRequest.Kind = .model, calibration: String? = nil) throws -> JobFiles {
    try catalog.files(of: JobRequest(kind: kind, model: .name(model), calibration: calibration.map { CalibrationRequest(dataset: $0) }))
  }

  @Test(arguments: [("a", "one/a"), ("b", "linked/b"), ("both", "one/both"), ("inside", "one/inside")])
  func aModelIsTheFirstFolderOfItsName(name: String, path: String) throws {
    #expect(try files(name).model.path == folder.url.appending(path: path).path)
  }

  /// What is copied from a model's folder ends up in a checkpoint that everybody may fetch.
  @Test(arguments: [
    ("chat_template.jinja", "/etc/passwd", false), ("model.safetensors", "../../outside/j.safetensors", false),
    ("vocab.json", "../../one-more/c/config.json", false), ("tokenizer.json", "../a/config.json", true),
    ("merges.txt", "../../two/b/config.json", true), ("extra", "nowhere", true),
  ])
  func aModelMayLinkWithinTheRootsOnly(entry: String, target: String, isFine: Bool) throws {
    try folder.write("one/linking/config.json")
    try folder.link("one/linking/\(entry)", to: target)
    if isFine {
      #expect(try files("linking").model.lastPathComponent == "linking")
      return
    }
    let problem = #expect(throws: Problem.self) { try files("linking") }
    #expect(problem?.code == .invalidModel)
    #expect(problem?.detail.contains("\"\(entry)\" of the model \"linking\" is a link that leaves the root folders") == true)
  }

  @Test func aDatasetIsAFileOfItsName() throws {
    #expect(try files("a", calibration: "text").calibration?.path == folder.url.appending(path: "data/text.jsonl").path)
    #expect(try files("a").calibration == nil)
  }

  @Test(arguments: [
    ("absent", "there are a, b, both, folder.safetensors, inside"), ("dangling", "there is no model"), ("loop", "there is no model"),
    ("file", "a file where a folder is needed"), ("outside", "leaves its root"), ("sibling", "leaves its root"),
    ("root", "leaves its root"),
    ("..", "not a name"), (".", "not a name"), ("a/config.json", "not a name"), ("/etc", "not a name"), ("", "not a name"),
  ])
  func otherModelsAreRefused(name: String, detail: String) {
    let problem = #expect(throws: Problem.self) { try files(name) }
    #expect(problem?.code == .invalidModel)
    #expect(problem?.errors?.map(\.pointer) == ["/model"])
    #expect(problem?.detail.hasSuffix(detail) == true || problem?.detail.contains(detail + " ") == true, "\(problem?.detail ?? "")")
  }

  @Test(arguments: [
    ("absent", "there are text"), ("notes", "there is no dataset"), ("folder", "a folder where a file is needed"),
    ("outside", "leaves its root"), ("../one/file", "not a name"),
  ])
  func otherDatasetsAreRefused(name: String, detail: String) {
    let problem = #expect(throws: Problem.self) { try files("a", calibration: name) }
    #expect(problem?.code == .invalidDataset)
    #expect(problem?.errors?.map(\.pointer) == ["/calibration/dataset"])
    #expect(problem?.detail.hasSuffix(detail) == true || problem?.detail.contains(detail + " ") == true, "\(problem?.detail ?? "")")
  }

  @Test(arguments: [
    ("h", "one/h"), ("h.safetensors", "one/h"), ("i", "linked/i"), ("i.safetensors", "linked/i"), ("linked", "one/linked"),
    ("linked.safetensors", "one/linked"),
  ])
  func aFileOfLayersIsTheFirstOfItsName(name: String, path: String) throws {
    #expect(try files(name, kind: .layers).model.path == folder.url.appending(path: path + ".safetensors").path)
  }

  @Test(arguments: [
    ("absent", "there are h, i, linked"), ("a", "there is no file of layers"), ("file", "there is no file of layers"),
    ("dangling", "there is no file of layers"), ("h.safetensors.safetensors", "there is no file of layers"),
    (".safetensors", "there is no file of layers"), ("folder", "a folder where a file is needed"),
    ("folder.safetensors", "a folder where a file is needed"), ("outside", "leaves its root"), ("outside.safetensors", "leaves its root"),
    ("../outside/j", "not a name"), ("/etc/passwd", "not a name"), ("..", "not a name"), ("", "not a name"),
  ])
  func otherFilesOfLayersAreRefused(name: String, detail: String) {
    let problem = #expect(throws: Problem.self) { try files(name, kind: .layers) }
    #expect(problem?.code == .invalidModel)
    #expect(problem?.errors?.map(\.pointer) == ["/model"])
    #expect(problem?.detail.hasSuffix(detail) == true || problem?.detail.contains(detail + " ") == true, "\(problem?.detail ?? "")")
  }

  @Test func atMostTenNamesAreTold() throws {
    for number in 10..<30 { try folder.write("one/m\(number)/config.json") }
    let problem = #expect(throws: Problem.self) { try files("absent") }
    #expect(problem?.detail.contains("m16") == false)
    #expect(problem?.detail.split(separator: ", ").count == 10)
  }
}
