import StrictJSON

extension RequestReader {
  /// `model`: a name, or an object that names a repository of the Hub.
  mutating func model(of kind: JobRequest.Kind?) -> ModelReference? {
    guard object["model"]?.objectValue != nil else { return name("model", required: true).map(ModelReference.name) }
    if kind == .layers { report("model", "must be a name with kind \"layers\": files of layers don't come from a Hub") }
    return (nested("model") { HubReference(reading: &$0) } ?? nil).map(ModelReference.hub)
  }
}

extension HubReference {
  fileprivate init?(reading reader: inout RequestReader) {
    let hub = reader.text("hub", required: true, expected: "a repository as \"org/name\"", Self.isRepository)
    let revision = reader.text("revision", expected: "a branch, tag or commit", Self.isRevision) ?? "main"
    let commit = reader.text("commit", expected: "40 hexadecimal digits in lower case", Self.isCommit)
    guard let hub else { return nil }
    self.init(hub: hub, revision: revision, commit: commit)
  }
}
