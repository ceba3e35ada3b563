-- Verifies passwords against Dovecot's passwd-files, as its passwd-file driver does, but so that Dovecot can remember
-- a login that succeeded: it caches no passwd-file (no default_cache_key in auth/passdb-passwd-file.c), and what it
-- would cache is the hash, whose cost it would pay again (auth/passdb-cache.c). An answer without a hash it keeps as a
-- digest of the password in memory (auth_request_save_cache in auth/auth-request.c).

local FILES = { "/etc/dovecot/users", "/etc/dovecot/services" }

local function account(name)
  for _, path in ipairs(FILES) do
    for line in io.lines(path) do
      local user, hash, fields = line:match("^([^#:][^:]*):({[^:]*):[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:(.*)$")
      if user == name then
        return hash, fields
      end
    end
  end
end

function script_init()
  return 0
end

function auth_passdb_get_cache_key()
  return "%{user}"
end

function auth_password_verify(request, password)
  local hash, fields = account(request.user)
  if not hash then
    request:log_info("unknown user")
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, ""
  end
  if request:password_verify(hash, password) <= 0 then
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, ""
  end
  local found = {}
  for field in fields:gmatch("%S+") do
    local name, value = field:match("^([^=]*)=?(.*)$")
    found[name] = value
  end
  return dovecot.auth.PASSDB_RESULT_OK, found
end
