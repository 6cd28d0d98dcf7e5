# A module for NixOS. With nix-bitcoin, it creates an RPC user of its own for bitcoind, limited to the methods that
# specterd calls.
{ config, lib, options, pkgs, ... }:

let
  cfg = config.services.specterd;
  withNixBitcoin = options ? nix-bitcoin;
  dataDir = "/var/lib/specterd";

  # The archive of a release is reproducible, and so is this build: replace both hashes by those that Nix reports.
  package = pkgs.buildGoModule {
    pname = "specterd";
    version = "unstable";
    src = ../..;
    vendorHash = lib.fakeHash;
    subPackages = [ "cmd/specterd" ];
    env.CGO_ENABLED = 0;
    # The tests start servers; the project's CI runs them.
    doCheck = false;
    meta = {
      description = "REST API and web console for the watch-only wallets of a Bitcoin node";
      license = lib.licenses.mit;
      mainProgram = "specterd";
    };
  };

  settingsFile = pkgs.writeText "specterd.env"
    (lib.concatStrings (lib.mapAttrsToList (name: value: "${name}=${value}\n") cfg.settings));
in
{
  options.services.specterd = {
    enable = lib.mkEnableOption "specterd, the wallets of a Bitcoin node for many users and scripts";
    package = lib.mkOption {
      type = lib.types.package;
      default = package;
      defaultText = lib.literalMD "built from this repository";
      description = "The package with the program.";
    };
    settings = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      default = { };
      example = { SPECTER_BACKUP_EVERY = "24h"; };
      description = "Settings of docs/configuration.md. They are readable by all users: pass secrets as NAME_FILE.";
    };
    extraGroups = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "bitcoin" ];
      description = "Further groups of the user, such as the group that can read the cookie of the node.";
    };
  };

  config = lib.mkIf cfg.enable (lib.mkMerge [
    {
      services.specterd.settings = {
        SPECTER_API_ACTIVE = lib.mkDefault "true";
        SPECTER_DATA_FOLDER = dataDir;
      };

      users.users.specterd = {
        isSystemUser = true;
        group = "specterd";
        home = dataDir;
        extraGroups = cfg.extraGroups;
      };
      users.groups.specterd = { };

      # Runs a command as the user and with the settings of the server.
      environment.systemPackages = [
        cfg.package
        (pkgs.writeShellScriptBin "specterd-admin" ''
          cd /
          exec ${pkgs.util-linux}/bin/runuser -u specterd -- \
            env HOME=${dataDir} SPECTER_CONFIG=${settingsFile} ${cfg.package}/bin/specterd "$@"
        '')
      ];

      # The same restrictions as in deploy/specterd.service.
      systemd.services.specterd = {
        description = "specterd, the wallets of a Bitcoin node for many users and scripts";
        wantedBy = [ "multi-user.target" ];
        wants = [ "network-online.target" ];
        after = [ "network-online.target" "bitcoind.service" ];
        environment = {
          HOME = dataDir;
          SPECTER_CONFIG = "${settingsFile}";
        };
        serviceConfig = {
          Type = "exec";
          ExecStart = "${cfg.package}/bin/specterd serve";
          ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
          User = "specterd";
          Group = "specterd";
          StateDirectory = "specterd";
          StateDirectoryMode = "0700";
          Restart = "on-failure";
          RestartSec = 5;
          TimeoutStopSec = 20;
          LimitNOFILE = 65536;
          ProtectSystem = "strict";
          ProtectHome = "read-only";
          PrivateTmp = true;
          PrivateDevices = true;
          PrivateIPC = true;
          PrivateUsers = true;
          ProtectClock = true;
          ProtectControlGroups = true;
          ProtectHostname = true;
          ProtectKernelLogs = true;
          ProtectKernelModules = true;
          ProtectKernelTunables = true;
          ProtectProc = "invisible";
          ProcSubset = "pid";
          NoNewPrivileges = true;
          CapabilityBoundingSet = "";
          AmbientCapabilities = "";
          LockPersonality = true;
          MemoryDenyWriteExecute = true;
          RemoveIPC = true;
          RestrictAddressFamilies = [ "AF_INET" "AF_INET6" "AF_UNIX" ];
          RestrictNamespaces = true;
          RestrictRealtime = true;
          RestrictSUIDSGID = true;
          SystemCallArchitectures = "native";
          SystemCallFilter = [ "@system-service" "~@privileged @resources" ];
          SystemCallErrorNumber = "EPERM";
          UMask = "0077";
        };
      };
    }

    (lib.optionalAttrs withNixBitcoin (
      let
        bitcoind = config.services.bitcoind;
        secretsDir = config.nix-bitcoin.secretsDir;
      in
      {
        services.bitcoind = {
          enable = true;
          # specterd keeps one watch-only wallet for each of its wallets in the node.
          disablewallet = lib.mkForce false;
          extraConfig = "blockfilterindex=1";
          rpc.users.specterd = {
            passwordHMACFromFile = true;
            rpcwhitelist = lib.splitString "," "abandontransaction,abortrescan,createwallet,deriveaddresses,estimatesmartfee,getblockchaininfo,getblockhash,getblockheader,getdescriptorinfo,getindexinfo,getmempooldescendants,getmempoolentry,getmempoolinfo,getnettotals,getnetworkinfo,getrawtransaction,gettransaction,gettxout,gettxspendingprevout,getwalletinfo,getzmqnotifications,importdescriptors,listdescriptors,listlockunspent,listsinceblock,listwalletdir,loadwallet,lockunspent,rescanblockchain,sendrawtransaction,testmempoolaccept,unloadwallet,uptime,walletcreatefundedpsbt";
          };
        };

        services.specterd.settings = {
          BTC_RPC_HOST = bitcoind.rpc.address;
          BTC_RPC_PORT = toString bitcoind.rpc.port;
          BTC_RPC_USER = "specterd";
          BTC_RPC_PASSWORD_FILE = "${secretsDir}/bitcoin-rpcpassword-specterd";
        };

        nix-bitcoin.secrets = {
          bitcoin-rpcpassword-specterd.user = "specterd";
          bitcoin-HMAC-specterd.user = bitcoind.user;
        };
        nix-bitcoin.generateSecretsCmds.specterd = "makeBitcoinRPCPassword specterd";

        systemd.services.specterd = {
          wants = [ "nix-bitcoin-secrets.target" ];
          after = [ "nix-bitcoin-secrets.target" ];
        };
      }
    ))
  ]);
}
