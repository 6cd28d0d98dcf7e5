# The archives of a release. Replace version and checksums by those of SHA256SUMS.
class Specterd < Formula
  desc "REST API and web console for the watch-only wallets of a Bitcoin node"
  homepage "https://github.com/specterd/specterd"
  version "0.1.0"
  license "MIT"

  on_macos do
    on_arm do
      url "https://github.com/specterd/specterd/releases/download/v#{version}/specterd-v#{version}-darwin-arm64.tar.gz"
      sha256 "0000000000000000000000000000000000000000000000000000000000000000"
    end
    on_intel do
      url "https://github.com/specterd/specterd/releases/download/v#{version}/specterd-v#{version}-darwin-amd64.tar.gz"
      sha256 "0000000000000000000000000000000000000000000000000000000000000000"
    end
  end

  on_linux do
    on_arm do
      url "https://github.com/specterd/specterd/releases/download/v#{version}/specterd-v#{version}-linux-arm64.tar.gz"
      sha256 "0000000000000000000000000000000000000000000000000000000000000000"
    end
    on_intel do
      url "https://github.com/specterd/specterd/releases/download/v#{version}/specterd-v#{version}-linux-amd64.tar.gz"
      sha256 "0000000000000000000000000000000000000000000000000000000000000000"
    end
  end

  def install
    bin.install "specterd"
    man1.install "specterd.1"
    bash_completion.install "completions/specterd.bash" => "specterd"
    zsh_completion.install "completions/_specterd"
    fish_completion.install "completions/specterd.fish"
    inreplace "deploy/specterd.env", "/var/lib/specterd", var/"specterd"
    (etc/"specterd").install "deploy/specterd.env"
  end

  def post_install
    (var/"specterd").mkpath
    (var/"specterd").chmod 0700
  end

  service do
    run [opt_bin/"specterd", "serve"]
    environment_variables SPECTER_CONFIG: etc/"specterd/specterd.env"
    keep_alive crashed: true
    log_path var/"log/specterd.log"
    error_log_path var/"log/specterd.log"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/specterd version")
  end
end
