/// A repository as `model_info` gets it.
struct HubInfo: Encodable {
  struct Sibling: Encodable {
    let rfilename: String
    var size: Int?
    var blobId: String?
    var lfs: LFS?
  }

  struct LFS: Encodable {
    let sha256: String
    let size: Int
    let pointerSize: Int
  }

  let id: String
  let sha: String
  let siblings: [Sibling]

  init(_ repository: any HubRepository) {
    (id, sha) = (repository.id, repository.commit)
    siblings = repository.files.map { Sibling(rfilename: $0.path) }
  }

  init(_ repository: any HubRepository, _ blobs: [HubBlob]) {
    (id, sha) = (repository.id, repository.commit)
    siblings = blobs.map { blob in
      Sibling(
        rfilename: blob.file.path, size: blob.file.size, blobId: blob.oid,
        lfs: blob.pointer.map { LFS(sha256: $0.sha256, size: $0.size, pointerSize: $0.data.count) })
    }
  }
}

/// Who a token belongs to, as `whoami` gets it.
struct HubIdentity: Encodable {
  struct Auth: Encodable {
    let type = "access_token"
    let accessToken: Token
  }

  struct Token: Encodable {
    let displayName: String
    let role: String
  }

  let type = "user"
  let name: String
  let orgs: [String] = []
  let auth: Auth?

  /// - Parameter token: nil: the daemon has none, and everybody on this machine may do everything.
  init(_ token: AccessToken?) {
    name = token?.name ?? "local"
    auth = token.map { Auth(accessToken: Token(displayName: $0.name, role: $0.scope.rawValue)) }
  }
}
